"""User functions for the page: `build` runs until canceled, `send` fails."""

import asyncio

from ostinato import Context, action


@action(public=True)
async def build(ctx: Context) -> None:
    """Report page 42 as progress, and run until canceled."""
    await ctx.progress(42, 100, "pages")
    await asyncio.Event().wait()


@action(public=True)
async def send(ctx: Context, to: str) -> None:
    """Send a report to a mailbox that is full."""
    raise RuntimeError(f"the mailbox of {to} is full")


@action(public=True)
async def send_all(ctx: Context, to: list[str]) -> None:
    """Send a report to each mailbox."""
    for name in to:
        ctx.log.info("report.scheduled", to=name)
        await ctx.scheduler.run_after(0, send, {"to": name})
