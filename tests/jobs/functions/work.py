"""Functions for the tests, written like a user's module."""

import asyncio
from pathlib import Path
from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.handler_decorators import BatchPage, batch
from ostinato.jobs.records import Json
from ostinato.jobs.retry import Retry


class Gate:
    """Blocks functions until a test opens it, and reports their arrival to the test."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


gate = Gate()
faults: dict[str, int] = {}
"""The number of exceptions that each named place will still raise."""


def raise_if_requested(place: str) -> None:
    """Raise an exception as often as the test requested for this place."""
    if faults.get(place, 0) > 0:
        faults[place] -= 1
        raise ConnectionError(f"{place} failed on request")


@mutation(public=True)
async def break_down(ctx: Context, name: str = "") -> None:
    """Always raise."""
    raise RuntimeError("broken")


@action(public=True)
async def wait_at_gate(ctx: Context, name: str = "") -> None:
    """Run until the test opens the gate."""
    await gate.pass_through()


@action(public=True, retry=Retry(retries=1, base_ms=3_600_000))
async def fail_if_requested(ctx: Context, place: str) -> None:
    """Do one part of the work; its retry is due an hour after a failure."""
    raise_if_requested(place)


@action(public=True)
async def fan_out(ctx: Context, name: str = "") -> None:
    """Schedule three jobs once the test opens the gate."""
    await gate.pass_through()
    for place in ("first", "second", "third"):
        await ctx.scheduler.run_after(0, fail_if_requested, {"place": place})


@mutation(public=True)
async def needs_number(ctx: Context, number: int) -> None:
    """Take an argument that can be invalid."""


@batch("parcels", where={"sent": False}, public=True)
async def send_parcels(ctx: Context, parcels: list[dict[str, Any]]) -> None:
    """Mark a page of parcels as sent; stop in the middle if the test requests it."""
    for parcel in parcels:
        await ctx.db["parcels"].update_one(
            {"_id": parcel["_id"]}, {"$set": {"sent": True}, "$inc": {"times": 1}}
        )
        raise_if_requested("parcels")
        if parcel.get("damaged"):
            raise ValueError(f"parcel {parcel['_id']} is damaged")


@mutation()
async def write_line(ctx: Context) -> None:
    """Write a line to the log, in a mutation."""
    ctx.log.info("line.written")


@action()
async def write_line_outside(ctx: Context) -> None:
    """Write a line to the log, in an action."""
    ctx.log.info("line.written")


@mutation()
async def call_mutation_within(ctx: Context) -> None:
    """Do what only an action is allowed to do."""
    await ctx.run_mutation(write_line)


@action()
async def write_and_fail(ctx: Context) -> None:
    """Write outside of a transaction, and fail."""
    await ctx.db["notes"].insert_one({"_id": "note"})
    raise ValueError("too late")


@action()
async def write_jobs(ctx: Context) -> None:
    """Write what functions may not write, outside of a transaction."""
    await ctx.db.ostinato("jobs").delete_many({})


@action()
async def merge_jobs(ctx: Context) -> None:
    """Write with an aggregation, outside of a transaction."""
    await ctx.db["notes"].aggregate([{"$match": {}}, {"$merge": "jobs"}])


@action()
async def call_action_as_mutation(ctx: Context) -> None:
    """Run an action in place of a mutation."""
    await ctx.run_mutation(write_line_outside)


def is_hang_requested(crate: dict[str, Any]) -> bool:
    """Return whether the test's file exists, and create another one."""
    hang_here = Path(crate["folder"], f"hang-{crate['_id']}")
    if not hang_here.exists():
        return False
    hang_here.with_suffix(".reached").touch()
    return True


@batch("crates", where={"sent": False}, public=True)
async def send_crates(ctx: Context, crates: list[dict[str, Any]]) -> None:
    """Mark a page of crates as sent; halfway, notify the test and hang if it requests that."""
    for crate in crates:
        await ctx.db["crates"].update_one(
            {"_id": crate["_id"]}, {"$set": {"sent": True}, "$inc": {"times": 1}}
        )
        if is_hang_requested(crate):
            await asyncio.Event().wait()


async def count_down(ctx: Context, cursor: str | None, size: int) -> BatchPage:
    """Return the numbers from 5 to 1 with a custom query."""
    start = int(cursor) if cursor else 5
    numbers = [{"number": number} for number in range(start, max(start - size, 0), -1)]
    left = start - size
    return BatchPage(items=numbers, cursor=str(left) if left > 0 else None)


@batch("numbers", pages=count_down, roles=("counter",))
async def note_numbers(ctx: Context, numbers: list[dict[str, Any]]) -> None:
    """Store the numbers."""
    await ctx.db["numbers"].insert_many([dict(number) for number in numbers])


@batch("stamps", owned=False)
async def stamp(ctx: Context, stamps: list[dict[str, Any]]) -> None:
    """Count how often each document is handled, for ids of any type."""
    for document in stamps:
        await ctx.db["stamps"].update_one({"_id": document["_id"]}, {"$inc": {"times": 1}})


async def answer(ctx: Context, data: Json) -> Json:
    """Complete a request when the test opens the gate."""
    await gate.pass_through()
    raise_if_requested("answer")
    return {"answer": data}


@mutation(roles=("auditor",))
async def reconcile(ctx: Context) -> None:
    """Run for users with a role."""


@mutation(public=True)
async def reconcile_later(ctx: Context) -> str:
    """Schedule a function that its caller may not schedule."""
    return await ctx.scheduler.run_after(0, reconcile)
