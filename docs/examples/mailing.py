"""A batch that writes letters at a limited rate (`@batch`), and a `@request_handler`.

OSTINATO_FUNCTIONS=docs.examples.mailing make run
"""

from typing import Any

from ostinato import Context, RateLimit, Retry, action, batch, mutation, request_handler

ITALIAN = {"again": "ancora", "slower": "più lento", "in time": "a tempo", "the end": "fine"}


@mutation(public=True)
async def add_reader(ctx: Context, email: str) -> bool:
    """Add a reader to the caller's list; return whether they were on it already."""
    reader = {"_id": f"{ctx.owner}:{email}"}  # so that two simultaneous calls create one reader
    new = {"owner": ctx.owner, "email": email, "written": False}
    return bool(await ctx.db["readers"].update_one(reader, {"$setOnInsert": new}, upsert=True))


@batch("readers", where={"written": False}, public=True)
async def write_to(ctx: Context, readers: list[dict[str, Any]]) -> None:
    """Schedule a letter to each reader in this page of the batch, and mark these readers."""
    for reader in readers:
        await ctx.scheduler.run_after(0, send, {"to": reader["email"]})
    ids = [reader["_id"] for reader in readers]
    await ctx.db["readers"].update_many({"_id": {"$in": ids}}, {"$set": {"written": True}})


@action(retry=Retry(retries=3), rate_limit=RateLimit(count=20, per_ms=1000, burst=20))
async def send(ctx: Context, to: str) -> str:
    """Send a letter; this example only writes to the log."""
    ctx.log.info("letter.sent", to=to)
    return f"written to {to}"


@request_handler
async def translate(ctx: Context, data: Any) -> Any:
    """Translate a word; an exception makes the request `FAILED`."""
    return {"italian": ITALIAN[data["word"]]}
