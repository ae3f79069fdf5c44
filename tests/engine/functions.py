"""The functions that the engine's tests run, loaded in this process and in real workers."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.retry import Retry, RetryAfter
from tests.engine import unusual_values
from tests.processes import eventually

HALF_AN_HOUR_MS = 30 * 60 * 1000


class Gate:
    """Holds a function until a test lets it go, and tells the test that it has come."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.visits = 0

    async def pass_through(self) -> None:
        self.visits += 1
        self.reached.set()
        await self.opened.wait()


gate = Gate()
calls: list[Any] = []
"""What functions in this process say of their runs; emptied before each test."""


class Unspeakable(Exception):
    """An error whose own text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@action(public=True)
async def echo(ctx: Context, value: JsonValue = None) -> JsonValue:
    """Return the value, and report it as progress."""
    await ctx.progress(1, 2, str(value)[:100])
    return value


@mutation(public=True)
async def echo_in_mutation(ctx: Context, value: JsonValue = None) -> JsonValue:
    """Store the value, schedule it, and give it back."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "value": value})
    await ctx.progress(1, 2, str(value)[:100])
    await ctx.scheduler.run_after(0, echo, {"value": value})
    return value


@mutation(public=True)
async def read_note(ctx: Context) -> object:
    """Return what another client wrote to one of the user's own collections."""
    found = await ctx.db["notes"].find_one({"_id": "note"})
    return found and found["value"]


@action(public=True)
async def give(ctx: Context, what: str) -> object:
    """Return a value of subclasses of the built-in types, or one without an end."""
    return unusual_values.VALUES[what]


@action(public=True)
async def show(ctx: Context, what: str) -> None:
    """Report progress as one of the calls in `unusual_values` does."""
    await ctx.progress(*unusual_values.PROGRESS[what])


@action(public=True)
async def plan(ctx: Context, what: str) -> str:
    """Schedule with one of the options in `unusual_values`."""
    return await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, **unusual_values.OPTIONS[what])


@action(public=True)
async def swell(ctx: Context, size: int) -> str:
    """Wait for the others, then give a long text: the results of many are written together."""
    gate.visits += 1
    if gate.visits >= 100:
        gate.opened.set()
    await gate.opened.wait()
    return "x" * size


@action(public=True)
async def shout(ctx: Context, message: str) -> None:
    """Fail with the message."""
    raise ValueError(message)


RESULTS: dict[str, object] = {
    "huge integer": 2**70,
    "not a number": float("nan"),
    "null in a key": {"a\0b": 1},
    "half a character": "\ud800",
    "too much": "x" * 300_000,
    "not json": object(),
}
ERRORS: dict[str, BaseException] = {
    "half a character in an error": ValueError("\ud800"),
    "odd text in an error": ValueError(unusual_values.Loud("quiet")),
    "unspeakable error": Unspeakable(),
    "leaves": SystemExit(3),
    "cancels itself": asyncio.CancelledError(),
}


@action(public=True)
async def come_to_grief(ctx: Context, behavior: str) -> object:
    """End in one of the ways that a careless function finds."""
    if behavior in ERRORS:
        raise ERRORS[behavior]
    return RESULTS[behavior]


@mutation(public=True)
async def count(ctx: Context, name: str, fail: bool = False) -> str:
    """Note an effect, and schedule a job that must exist if and only if the note does."""
    calls.append(ctx.job.attempt)
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    scheduled = await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": name})
    if fail:
        raise ValueError(name)
    return scheduled


@mutation(public=True, timeout_ms=10_000)
async def read_then_write(ctx: Context) -> int:
    """Raise a counter by reading it first: two at once conflict."""
    found = await ctx.db["counters"].find_one({"_id": "one"})
    calls.append("read")
    if gate.visits == 0:
        await gate.pass_through()
    value = (found["value"] if found else 0) + 1
    await ctx.db["counters"].update_one({"_id": "one"}, {"$set": {"value": value}}, upsert=True)
    return int(value)


@mutation(public=True, timeout_ms=500)
async def conflict_once(ctx: Context) -> int:
    """Raise the counter, with little patience."""
    where = {"_id": "one"}
    await ctx.db["counters"].update_one(where, {"$inc": {"value": 1}}, upsert=True)
    found = await ctx.db["counters"].find_one(where)
    return int(found["value"]) if found else 0


@mutation(public=True, timeout_ms=20_000)
async def schedule_many(ctx: Context, number: int, letters: int = 1) -> int:
    """Schedule many jobs in one transaction."""
    for _ in range(number):
        await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": "x" * letters})
    return number


@mutation(public=True)
async def schedule_badly(ctx: Context, name: str, args: JsonValue = None) -> None:
    """Schedule a function by name with whatever arguments."""
    await ctx.scheduler.run_after(0, name, args if isinstance(args, dict) else {})


@mutation(public=True, timeout_ms=1_500)
async def hold_in_mutation(ctx: Context) -> None:
    """Write, then wait at the gate inside the transaction."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "held"})
    await gate.pass_through()


@mutation(public=True)
async def cancel_in_mutation(ctx: Context, job_id: str) -> bool:
    """Cancel a job from a mutation; with an empty id, itself."""
    return await ctx.scheduler.cancel(job_id or ctx.job.id)


@mutation(public=True)
async def cancel_given_in_mutation(ctx: Context, job_id: JsonValue) -> bool:
    """Cancel whatever a client names, as a careless function does."""
    return await ctx.scheduler.cancel(cast("str", job_id))


@action(public=True)
async def cancel_given(ctx: Context, job_id: JsonValue) -> bool:
    """Do the same from an action."""
    return await ctx.scheduler.cancel(cast("str", job_id))


@action(public=True, retry=Retry(retries=2, base_ms=HALF_AN_HOUR_MS))
async def fail_twice(ctx: Context) -> str:
    """Succeed at the third attempt."""
    if ctx.job.attempt < 3:
        raise ConnectionError(f"attempt {ctx.job.attempt}")
    return "at last"


@action(public=True, retry=Retry(retries=1, base_ms=200))
async def fail_once(ctx: Context) -> str:
    """Wait at the gate and fail; succeed at the second attempt, soon after the first."""
    if ctx.job.attempt == 1:
        await gate.pass_through()
        raise ConnectionError("the first attempt")
    return "at last"


@action(public=True, retry=Retry(retry_on=(OSError,), give_up_on=(PermissionError,)))
async def meet(ctx: Context, error: str) -> None:
    """Raise an error that the policy covers, or does not."""
    classes = {"ConnectionError": ConnectionError, "PermissionError": PermissionError}
    raise classes.get(error, ValueError)(error)


@mutation(public=True, retry=Retry(retries=1, retry_on=(OSError,)))
async def be_throttled(ctx: Context, ms: int = 0, at: datetime | None = None) -> None:
    """Ask to run again after a time, or at a time; nothing of this attempt may stay."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "throttled"})
    raise RetryAfter(at or ms, "429 Too Many Requests")


@action(public=True)
async def hold(ctx: Context) -> str:
    """Wait at the gate."""
    await gate.pass_through()
    return "let go"


@action(public=True)
async def hold_despite_cancel(ctx: Context) -> str:
    """Wait at the gate, whoever asks for an end."""
    waiting = asyncio.ensure_future(gate.pass_through())
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            calls.append("asked to stop")
    return "let go"


@action(public=True, retry=Retry(retries=1, base_ms=0))
async def wait_for_ever(ctx: Context) -> None:
    """Run until somebody stops it; it may be started once more."""
    await asyncio.Event().wait()


@action(public=True)
async def wait_for_file(ctx: Context, name: str) -> str:
    """Report that it runs, until a file exists."""
    await ctx.progress(0)
    await eventually(Path(name).exists, within=60)
    return "found"


@action(public=True)
async def wait_for_ever_once(ctx: Context) -> None:
    """Run until somebody stops it."""
    await asyncio.Event().wait()


@action(public=True)
async def block_the_loop(ctx: Context, ms: int) -> None:
    """Wait as no coroutine should."""
    threading.Event().wait(ms / 1000)


@action(public=True)
async def what_time(ctx: Context) -> dict[str, str]:
    """Return due time as the function sees it, and the host's clock."""
    return {"due": (await ctx.now()).isoformat(), "host": datetime.now(UTC).isoformat()}
