"""The functions of a newsletter, which docs/testing.md tests."""

from ostinato import Context, Retry, action, mutation

WEEK_MS = 7 * 24 * 60 * 60 * 1000


@mutation(public=True)
async def subscribe(ctx: Context, email: str) -> None:
    """Store a reader, and write to them now and a week later."""
    await ctx.db["subscribers"].insert_one({"_id": email, "since": await ctx.now()})
    await ctx.scheduler.run_after(0, write, {"to": email, "text": "Welcome"})
    await ctx.scheduler.run_after(WEEK_MS, write, {"to": email, "text": "Do you like it?"})


@action(retry=Retry(retries=3, base_ms=60_000))
async def write(ctx: Context, to: str, text: str) -> str:
    """Send a letter; this example only returns it."""
    return f"{text}, {to}!"


@mutation()
async def count_subscribers(ctx: Context) -> int:
    """Count the readers."""
    return await ctx.db["subscribers"].count_documents({})
