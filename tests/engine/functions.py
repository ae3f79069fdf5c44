"""Functions for the engine tests, loaded in the test process and in worker processes."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.failure_hooks import FailedJob
from ostinato.jobs.retry import Retry, RetryAfter
from tests.engine import unusual_values
from tests.processes import eventually

HALF_AN_HOUR_MS = 30 * 60 * 1000


class Gate:
    """Blocks functions until a test opens it, and reports their arrival to the test."""

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
"""Entries added by functions in this process; cleared before each test."""


class Unprintable(Exception):
    """An error whose `__str__` raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@action(public=True)
async def echo(ctx: Context, value: JsonValue = None) -> JsonValue:
    """Report the value as progress, and return it."""
    await ctx.progress(1, 2, str(value)[:100])
    return value


@mutation(public=True)
async def echo_in_mutation(ctx: Context, value: JsonValue = None) -> JsonValue:
    """Store the value, schedule `echo` with it, and return it."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "value": value})
    await ctx.progress(1, 2, str(value)[:100])
    await ctx.scheduler.run_after(0, echo, {"value": value})
    return value


@mutation(public=True)
async def read_note(ctx: Context) -> object:
    """Return a value that another client wrote to a collection of the user."""
    found = await ctx.db["notes"].find_one({"_id": "note"})
    return found and found["value"]


@action(public=True)
async def return_value(ctx: Context, what: str) -> object:
    """Return one of the unusual values: an instance of a subclass, or an endless structure."""
    return unusual_values.VALUES[what]


@action(public=True)
async def report_progress(ctx: Context, what: str) -> None:
    """Report progress with one of the unusual arguments."""
    await ctx.progress(*unusual_values.PROGRESS[what])


@action(public=True)
async def schedule_with_options(ctx: Context, what: str) -> str:
    """Schedule a job with one of the unusual options."""
    return await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, **unusual_values.OPTIONS[what])


@action(public=True)
async def return_large_text(ctx: Context, size: int) -> str:
    """Return a long text once 100 runs have started, so that their results are written together."""
    gate.visits += 1
    if gate.visits >= 100:
        gate.opened.set()
    await gate.opened.wait()
    return "x" * size


@action(public=True)
async def fail_with(ctx: Context, message: str) -> None:
    """Fail with the message."""
    raise ValueError(message)


@action(public=True)
async def count_then_fail(ctx: Context, secret: str) -> None:
    """Fail with the number of letters of the argument."""
    raise ValueError(f"{len(secret)} letters")


async def record_failed_job(ctx: Context, failed: FailedJob) -> None:
    """Record a failed job for the test."""
    calls.append(failed)


@action(public=True, retry=Retry(retries=1, base_ms=1), on_failure=record_failed_job)
async def fail_with_hook(ctx: Context, attempts: int) -> None:
    """Fail the first attempts; a hook is called if no other is left."""
    if ctx.job.attempt <= attempts:
        raise ValueError(f"attempt {ctx.job.attempt}")


@action(public=True)
async def fail_after_echo(ctx: Context, value: JsonValue) -> None:
    """Fail, whatever the value is."""
    raise ValueError("no")


RESULTS: dict[str, object] = {
    "huge integer": 2**70,
    "NaN": float("nan"),
    "null in a key": {"a\0b": 1},
    "lone surrogate": "\ud800",
    "too large": "x" * 300_000,
    "not json": object(),
}
ERRORS: dict[str, BaseException] = {
    "lone surrogate in an error": ValueError("\ud800"),
    "misreported text in an error": ValueError(unusual_values.MisleadingStr("quiet")),
    "unprintable error": Unprintable(),
    "system exit": SystemExit(3),
    "cancels itself": asyncio.CancelledError(),
}


@action(public=True)
async def end_abnormally(ctx: Context, behavior: str) -> object:
    """Raise an unusual error, or return a value that cannot be stored."""
    if behavior in ERRORS:
        raise ERRORS[behavior]
    return RESULTS[behavior]


@mutation(public=True)
async def count(ctx: Context, name: str, fail: bool = False) -> str:
    """Insert an effect, and schedule a job that must exist if and only if the effect does."""
    calls.append(ctx.job.attempt)
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    scheduled = await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": name})
    if fail:
        raise ValueError(name)
    return scheduled


@mutation(public=True, timeout_ms=10_000)
async def read_then_write(ctx: Context) -> int:
    """Read a counter, then increment it: concurrent runs conflict."""
    found = await ctx.db["counters"].find_one({"_id": "one"})
    calls.append("read")
    if gate.visits == 0:
        await gate.pass_through()
    value = (found["value"] if found else 0) + 1
    await ctx.db["counters"].update_one({"_id": "one"}, {"$set": {"value": value}}, upsert=True)
    return int(value)


@mutation(public=True, timeout_ms=500)
async def conflict_once(ctx: Context) -> int:
    """Increment the counter, with a short timeout."""
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
async def schedule_by_name(ctx: Context, name: str, args: JsonValue = None) -> None:
    """Schedule a function by name with arguments of any type."""
    await ctx.scheduler.run_after(0, name, args if isinstance(args, dict) else {})


@mutation(public=True, timeout_ms=1_500)
async def hold_in_mutation(ctx: Context) -> None:
    """Write, then wait at the gate inside the transaction."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "held"})
    await gate.pass_through()


@mutation(public=True)
async def cancel_in_mutation(ctx: Context, job_id: str) -> bool:
    """Cancel a job from a mutation: its own job if the id is empty."""
    return await ctx.scheduler.cancel(job_id or ctx.job.id)


@mutation(public=True)
async def cancel_by_id_in_mutation(ctx: Context, job_id: JsonValue) -> bool:
    """Cancel a job with an id from a client, without checking its type."""
    return await ctx.scheduler.cancel(cast("str", job_id))


@action(public=True)
async def cancel_by_id(ctx: Context, job_id: JsonValue) -> bool:
    """Like `cancel_by_id_in_mutation`, but from an action."""
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
async def raise_named(ctx: Context, error: str) -> None:
    """Raise an error of this class; the retry policy covers some of them."""
    classes = {"ConnectionError": ConnectionError, "PermissionError": PermissionError}
    raise classes.get(error, ValueError)(error)


@mutation(public=True, retry=Retry(retries=1, retry_on=(OSError,)))
async def request_retry(ctx: Context, ms: int = 0, at: datetime | None = None) -> None:
    """Insert an effect, and raise RetryAfter with a delay or a time, which rolls it back."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "throttled"})
    raise RetryAfter(at or ms, "429 Too Many Requests")


@action(public=True)
async def hold(ctx: Context) -> str:
    """Wait at the gate."""
    await gate.pass_through()
    return "let go"


@action(public=True)
async def hold_despite_cancel(ctx: Context) -> str:
    """Wait at the gate, and ignore cancellation."""
    waiting = asyncio.ensure_future(gate.pass_through())
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            calls.append("canceled")
    return "let go"


@action(public=True, retry=Retry(retries=1, base_ms=0))
async def wait_forever(ctx: Context) -> None:
    """Run until it is canceled; one retry is allowed."""
    await asyncio.Event().wait()


@action(public=True)
async def wait_for_file(ctx: Context, name: str) -> str:
    """Report progress, and wait until a file exists."""
    await ctx.progress(0)
    await eventually(Path(name).exists, within=60)
    return "found"


@action(public=True)
async def wait_forever_once(ctx: Context) -> None:
    """Run until it is canceled."""
    await asyncio.Event().wait()


@action(public=True)
async def block_the_loop(ctx: Context, ms: int) -> None:
    """Block the event loop."""
    threading.Event().wait(ms / 1000)


@action(public=True)
async def read_clocks(ctx: Context) -> dict[str, str]:
    """Return due time as the function sees it, and the host's clock."""
    return {"due": (await ctx.now()).isoformat(), "host": datetime.now(UTC).isoformat()}
