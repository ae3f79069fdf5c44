"""The functions of the chaos runs; each execution writes a record, so duplicates are visible.

A mutation writes effects into a collection without a unique index. An action appends a line to a
file when it starts and another when it ends.
"""

import asyncio
import json
import os
import time
from typing import Final

from ostinato import Context, Retry, action, mutation

NOTES: Final = "CHAOS_NOTES"
EFFECTS: Final = "effects"
TALLIES: Final = "tallies"

_files: dict[str, int] = {}


class Planned(Exception):
    """A failure that is part of the load."""


@mutation(public=True)
async def enter(ctx: Context, mark: str) -> str:
    """Write one effect."""
    await _effect(ctx, mark)
    return mark


@mutation(public=True)
async def tally(ctx: Context, mark: str, name: str) -> int:
    """Read and increment a counter: of two concurrent executions, one conflicts and runs again."""
    found = await ctx.db[TALLIES].find_one({"_id": name})
    value = int(found["value"]) + 1 if found else 1
    await ctx.db[TALLIES].update_one({"_id": name}, {"$set": {"value": value}})
    await _effect(ctx, mark)
    return value


@mutation(public=True)
async def pass_on(ctx: Context, mark: str) -> str:
    """Write one effect and schedule two jobs."""
    await ctx.scheduler.run_after(0, enter, {"mark": f"{mark}/now"})
    await _effect(ctx, mark)
    await ctx.scheduler.run_after(400, touch, {"mark": f"{mark}/later"})
    return mark


@mutation(public=True, retry=Retry(retries=2, base_ms=100))
async def stumble(ctx: Context, mark: str) -> str:
    """Write an effect and schedule a job; the first attempt fails and must be rolled back."""
    await ctx.scheduler.run_after(0, enter, {"mark": f"{mark}/now"})
    await _effect(ctx, mark)
    if _attempt(ctx) == 1:
        raise Planned("the first attempt fails")
    return mark


@mutation(public=True)
async def refuse(ctx: Context, mark: str) -> None:
    """Write an effect and schedule a job, then fail: both must be rolled back."""
    await ctx.scheduler.run_after(0, enter, {"mark": f"{mark}/now"})
    await _effect(ctx, mark)
    raise Planned("this function always fails")


@action(public=True)
async def touch(ctx: Context, mark: str, ms: int = 0) -> str:
    """Have an external effect."""
    _note(ctx, "start")
    await asyncio.sleep(ms / 1000)
    _note(ctx, "end")
    return mark


@action(public=True, retry=Retry(retries=5, base_ms=100))
async def linger(ctx: Context, mark: str, ms: int) -> str:
    """Run for long; it is retried if its worker is lost."""
    return await touch(ctx, mark, ms)


@action(public=True, retry=Retry(retries=3, base_ms=100))
async def flicker(ctx: Context, mark: str) -> str:
    """Succeed at the third attempt."""
    _note(ctx, "start")
    if _attempt(ctx) < 3:
        raise Planned("not yet")
    _note(ctx, "end")
    return mark


@action(public=True, retry=Retry(retries=1, base_ms=100))
async def fail(ctx: Context, mark: str) -> None:
    """Fail, twice."""
    _note(ctx, "start")
    raise Planned("this function always fails")


@action(public=True)
async def delegate(ctx: Context, mark: str) -> str:
    """Schedule a job, and note its id."""
    _note(ctx, "start")
    job_id = await ctx.scheduler.run_after(0, enter, {"mark": f"{mark}/now"})
    _note(ctx, "scheduled", job_id)
    _note(ctx, "end")
    return job_id


@mutation(public=True)
async def tick(ctx: Context, mark: str) -> None:
    """Write one effect for each tick of a cron."""
    await _effect(ctx, mark)


async def _effect(ctx: Context, mark: str) -> None:
    written = {"_id": ctx.new_id(), "job": ctx.job.id, "attempt": ctx.job.attempt, "mark": mark}
    await ctx.db[EFFECTS].insert_one(written)


def _attempt(ctx: Context) -> int:
    return ctx.job.attempt


def _note(ctx: Context, event: str, scheduled: str | None = None) -> None:
    """Append a line with one write: a killed process never writes a partial line."""
    line = {
        "job": ctx.job.id,
        "attempt": ctx.job.attempt,
        "event": event,
        "scheduled": scheduled,
        "at": time.time(),
        "pid": os.getpid(),
    }
    os.write(_file(os.environ[NOTES]), json.dumps(line).encode() + b"\n")


def _file(path: str) -> int:
    if path not in _files:
        _files[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return _files[path]
