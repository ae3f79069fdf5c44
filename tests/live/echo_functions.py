"""Functions that return their arguments unchanged, for round-trip tests."""

from typing import Any

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.handler_decorators import batch


@action(public=True)
async def echo(ctx: Context, value: JsonValue, text: str = "", count: int = 0) -> JsonValue:
    """Report text and count as progress, and return the value."""
    await ctx.progress(count, count, text)
    return value


@mutation(public=True)
async def echo_and_store(
    ctx: Context, value: JsonValue, text: str = "", count: int = 0
) -> JsonValue:
    """Like `echo`, but a mutation that also stores the value in `notes`."""
    await ctx.db["notes"].insert_one({"_id": ctx.new_id(), "owner": ctx.owner, "value": value})
    await ctx.progress(count, count, text)
    return value


@action(public=True)
async def fail(ctx: Context, value: JsonValue, text: str = "", count: int = 0) -> None:
    """Fail with the text as error message; the value remains in the job's arguments."""
    raise RuntimeError(text)


@mutation(public=True)
async def read_note(ctx: Context, note: str) -> object:
    """Return the value stored in `notes`."""
    found = await ctx.db["notes"].find_one({"_id": note})
    return found and found["value"]


@batch("echoItems", collection="items", where={"processed": False}, public=True)
async def schedule_echo_per_item(ctx: Context, items: list[dict[str, Any]]) -> None:
    """Schedule each item's data as an argument."""
    for item in items:
        await ctx.scheduler.run_after(0, echo, {"value": item["data"]})
    ids = [item["_id"] for item in items]
    await ctx.db["items"].update_many({"_id": {"$in": ids}}, {"$set": {"processed": True}})
