"""Functions of a shop, which the tests of the harness run."""

import asyncio
import random

from ostinato import Context, RateLimit, Retry, RetryAfter, action, mutation

calls: list[str] = []
"""What the functions did: their name, and the time by their context."""

everyone = asyncio.Event()


async def note(ctx: Context, name: str) -> None:
    calls.append(f"{name} {(await ctx.now()):%d %H:%M:%S}")


@action(retry=Retry(retries=3, base_ms=60_000, factor=2, jitter=0))
async def send_email(ctx: Context, to: str = "ada") -> str:
    """Write down a letter."""
    await note(ctx, to)
    return f"sent to {to}"


@action(retry=Retry(retries=5, base_ms=60_000, factor=2, jitter=0.5))
async def call_often(ctx: Context) -> int:
    """Fail until the last attempt."""
    await note(ctx, f"attempt {ctx.job.attempt}")
    if ctx.job.attempt < ctx.job.max_attempts:
        raise ConnectionError("no answer")
    return ctx.job.attempt


@action(rate_limit=RateLimit(count=1, per_ms=60_000))
async def call_slowly(ctx: Context, name: str) -> None:
    """Run at most once in a minute."""
    await note(ctx, name)


@mutation()
async def place_order(ctx: Context, reader: str) -> str:
    """Store an order, and remind the reader a day later."""
    await ctx.db["orders"].insert_one({"_id": ctx.new_id(), "reader": reader})
    await note(ctx, f"order of {reader}")
    return await ctx.scheduler.run_after(86_400_000, send_email, {"to": reader})


@mutation()
async def count_orders(ctx: Context) -> int:
    """Count the orders."""
    return await ctx.db["orders"].count_documents({})


@action()
async def run_again(ctx: Context) -> None:
    """Schedule itself for the same time."""
    await ctx.scheduler.run_after(0, run_again)


@action(retry=Retry(retries=1))
async def ask_later(ctx: Context) -> None:
    """Ask for another attempt an hour later."""
    await note(ctx, "ask")
    if ctx.job.attempt == 1:
        raise RetryAfter(3_600_000)


@action()
async def draw(ctx: Context) -> float:
    """Return a random number."""
    return random.random()


@action()
async def cancel(ctx: Context, job_id: str) -> bool:
    """Cancel another job."""
    return await ctx.scheduler.cancel(job_id)


@action()
async def meet(ctx: Context) -> int:
    """Wait until three jobs run at once; return how many did."""
    calls.append("meet")
    if len(calls) == 3:
        everyone.set()
    await everyone.wait()
    return len(calls)
