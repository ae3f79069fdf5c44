"""A mutation that inserts an effect, then does what `behavior` says."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final

from pymongo.errors import ConfigurationError, DuplicateKeyError

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from tests.engine.functions import calls, gate


@mutation(public=True, name="functions.insertEffect")
async def insert_effect(ctx: Context, name: str, behavior: str = "write") -> str:
    """Insert an effect, in a transaction shared with other jobs; then do what `behavior` says."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    if behavior == "raise":
        raise ValueError(name)
    if behavior == "hold":
        await gate.pass_through()
    if behavior == "duplicate key":
        await ctx.db["effects"].insert_one({"_id": "the same"})
    if behavior in BEHAVIORS:
        await BEHAVIORS[behavior](ctx)
    if behavior == "no server" and ctx.job.attempt == 1:
        await ctx.db.track(_raise_no_server())
    if behavior == "record":
        calls.append(name)
    if behavior in AFTER_RETURN:
        calls.append(asyncio.create_task(AFTER_RETURN[behavior](ctx)))
    return name


async def _insert_duplicate(ctx: Context) -> None:
    """Insert a duplicate, and ignore the error."""
    with suppress(DuplicateKeyError):
        await ctx.db["effects"].insert_one({"_id": "the same"})


async def _raise_no_server() -> None:
    """Raise the error that the driver raises without a reachable server."""
    raise ConfigurationError("Sessions are not supported by this MongoDB deployment")


async def _count(ctx: Context) -> None:
    counter = await ctx.db["counters"].find_one({"_id": "the same"}) or {"value": 0}
    await ctx.db["counters"].update_one(
        {"_id": "the same"}, {"$set": {"value": counter["value"] + 1}}, upsert=True
    )


async def _write_late(ctx: Context) -> None:
    await gate.opened.wait()
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "late"})


async def _schedule_late(ctx: Context) -> None:
    await gate.opened.wait()
    await ctx.scheduler.run_after(0, "functions.echo")


async def _cancel_late(ctx: Context) -> None:
    await gate.opened.wait()
    await ctx.scheduler.cancel("0" * 24)


async def _insert_twice(ctx: Context) -> None:
    await _insert_duplicate(ctx)
    await _insert_duplicate(ctx)


async def _insert_and_cancel(ctx: Context) -> None:
    await _insert_duplicate(ctx)
    await ctx.scheduler.cancel("0" * 24)


Behavior = Callable[[Context], Coroutine[None, None, None]]
AFTER_RETURN: Final[dict[str, Behavior]] = {
    "linger": _write_late,
    "schedule late": _schedule_late,
    "cancel late": _cancel_late,
}
BEHAVIORS: Final[dict[str, Behavior]] = {
    "count": _count,
    "swallow": _insert_duplicate,
    "swallow twice": _insert_twice,
    "swallow and cancel": _insert_and_cancel,
}
