"""A mutation function that notes an effect, and may then go wrong in several ways."""

import asyncio

from pymongo.errors import ConfigurationError

from jobs.context import Context
from jobs.decorators import mutation
from tests.engine.functions import calls, gate


@mutation(public=True, name="functions.share", timeout_ms=4_000)
async def share(ctx: Context, name: str, way: str = "write") -> str:
    """Note an effect, beside others in the same transaction; fail or wait after it, if told."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    if way == "raise":
        raise ValueError(name)
    if way == "hold":
        await gate.pass_through()
    if way == "break":
        await ctx.db["effects"].insert_one({"_id": "the same"})
    if way == "away" and ctx.job and ctx.job.attempt == 1:
        await ctx.db.answered(_find_no_server())
    if way == "count":
        await _count(ctx)
    if way == "tell":
        calls.append(name)
    if way == "linger":
        calls.append(asyncio.create_task(_write_late(ctx)))
    return name


async def _find_no_server() -> None:
    """Raise what the driver does when no server is left."""
    raise ConfigurationError("Sessions are not supported by this MongoDB deployment")


async def _count(ctx: Context) -> None:
    counter = await ctx.db["counters"].find_one({"_id": "the same"}) or {"value": 0}
    await ctx.db["counters"].update_one(
        {"_id": "the same"}, {"$set": {"value": counter["value"] + 1}}, upsert=True
    )


async def _write_late(ctx: Context) -> None:
    await gate.opened.wait()
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "late"})
