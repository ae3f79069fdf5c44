"""Functions of a user for the page: one waits to be canceled, the other fails."""

import asyncio

from ostinato import Context, action


@action(public=True)
async def build(ctx: Context) -> None:
    """Build a report; it gets as far as page 42."""
    await ctx.progress(42, 100, "pages")
    await asyncio.Event().wait()


@action(public=True)
async def send(ctx: Context, to: str) -> None:
    """Send a report to a mailbox that is full."""
    raise RuntimeError(f"the mailbox of {to} is full")
