"""A user's functions through which values go: arguments, progress, results, errors and items."""

from typing import Any

from pydantic import JsonValue

from ostinato.jobs.batch_sources import batch
from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation


@action(public=True)
async def echo(ctx: Context, value: JsonValue, text: str = "", count: int = 0) -> JsonValue:
    """Show text and count as progress, and give the value back."""
    await ctx.progress(count, count, text)
    return value


@mutation(public=True)
async def keep(ctx: Context, value: JsonValue, text: str = "", count: int = 0) -> JsonValue:
    """Do the same in a transaction, and store the value in a collection of one's own."""
    await ctx.db["notes"].insert_one({"_id": ctx.new_id(), "owner": ctx.owner, "value": value})
    await ctx.progress(count, count, text)
    return value


@action(public=True)
async def fail(ctx: Context, value: JsonValue, text: str = "", count: int = 0) -> None:
    """Fail with the text; the value is kept as what it was working on."""
    raise RuntimeError(text)


@mutation(public=True)
async def read_note(ctx: Context, note: str) -> object:
    """Give back what the driver stored in a collection of the user's own."""
    found = await ctx.db["notes"].find_one({"_id": note})
    return found and found["value"]


@batch("passedOn", collection="items", where={"processed": False}, public=True)
async def pass_on(ctx: Context, items: list[dict[str, Any]]) -> None:
    """Schedule each item's data as an argument."""
    for item in items:
        await ctx.scheduler.run_after(0, echo, {"value": item["data"]})
    ids = [item["_id"] for item in items]
    await ctx.db["items"].update_many({"_id": {"$in": ids}}, {"$set": {"processed": True}})
