"""Runs of a cron outside its schedule, which a client asks for: now, or for past ticks; and the
check of failed runs.

Each function runs in the caller's transaction, on behalf of the cron's owner.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, takewhile
from typing import Any, Final

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import LedgerEntry, TickOrigin, TickOutcome
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import MAX_RUNS_PER_TICK, Timetable, last_decided
from ostinato.jobs.errors import BadRequest, PreconditionFailed
from ostinato.jobs.failure_hooks import CHECK_FAILURES
from ostinato.jobs.functions.calendars import read_timetable
from ostinato.jobs.functions.cron_checks import find_cron
from ostinato.jobs.functions.cron_ledger import record_ticks
from ostinato.jobs.functions.cron_ticks import (
    backfill_ticks,
    queued_ticks,
    read_run_history,
    schedule_release,
    start_run,
)
from ostinato.jobs.functions.crons import change, pause_if_needed
from ostinato.jobs.functions.job_chain import CHAIN_RETRY, MINUTE_MS, require_rights
from ostinato.jobs.json_values import MILLISECOND, format_instant
from ostinato.jobs.planned_ticks import running_ticks
from ostinato.jobs.records import Cause, CauseKind, Cron, IntervalSchedule, OverlapPolicy
from ostinato.jobs.run_history import RunHistory

MAX_BACKFILL: Final = MAX_RUNS_PER_TICK  # all jobs are inserted in one transaction


async def trigger_cron(
    ctx: Context, cron_id: str, key: str | None = None, expected_version: int | None = None
) -> tuple[Cron, str]:
    """Run a cron's function now, also if the cron is paused; return the cron and the job's id.

    The schedule does not change. Unless runs may overlap, later ticks wait for this run as for any
    other. With a `key`, a repeated call returns the job of the first one, while that is retained.
    Raises NotFound, VersionConflict, OwnerSuspended, QuotaExceeded, and PreconditionFailed if a run
    has not ended, or if the owner has lost the function's role.
    """
    tick = None if key is None else {"cronId": cron_id, "trigger": key}
    used = tick and await ctx.db.ostinato("jobs").find_one({"tick": tick}, {"_id": 1})
    found = await find_cron(ctx, cron_id, None if used else expected_version)
    cron = cron_from(found)
    if used:
        return cron, used["_id"]
    await require_rights(ctx, cron.function_name)
    history = await read_run_history(ctx, found)
    _require_no_run(cron, found, history)
    cause = Cause(kind=CauseKind.CRON, id=cron.id)
    options: dict[str, Any] = {"cause": cause, "tags": cron.tags}
    if tick is not None:
        options["tick"] = tick
    try:
        run = await ctx.scheduler.run_after(0, cron.function_name, cron.args, **options)
    except BadRequest as error:
        raise PreconditionFailed(str(error)) from error
    entry = LedgerEntry(
        outcome=TickOutcome.RAN,
        first=await ctx.now(),
        job_id=run,
        origin=TickOrigin.TRIGGER,
    )
    recorded = await record_ticks(ctx, found, [entry])
    runs = {"executions": [*history.tracked, run], "failuresInARow": history.failures}
    return await change(ctx, found, recorded | runs), run


@mutation(name=CHECK_FAILURES, internal=True, retry=CHAIN_RETRY, result_ttl_ms=MINUTE_MS)
async def check_failures(ctx: Context, cron_id: str) -> bool:
    """Pause a cron whose newest runs have failed too often; return whether it did.

    A job of it is inserted with the failure of each run. The next tick checks it as well.
    """
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, "owner": ctx.owner})
    if found is None or not found["enabled"]:
        return False
    return await pause_if_needed(ctx, cron_from(found), found)


def _require_no_run(cron: Cron, found: dict[str, Any], history: RunHistory) -> None:
    """Raise PreconditionFailed if a run has not ended or ticks wait, unless runs may overlap."""
    waiting = found["queuedTicks"] or backfill_ticks(found)
    if cron.overlap is not OverlapPolicy.ALLOW and (history.active or waiting):
        what = "a run of the cron has not ended" if history.active else "ticks of the cron wait"
        raise PreconditionFailed(
            f"{what}, and its overlap is {cron.overlap.name}: wait, or set overlap to ALLOW"
        )


@dataclass(frozen=True, slots=True)
class TickPeriod:
    """A period: `start` is inclusive, `end` is not."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill did."""

    cron: Cron
    started: int
    """The number of ticks that this call runs: at once, or one after another under QUEUE."""
    already_ran: int
    """The number of ticks of the period that had run, or were already waiting to run."""

    @property
    def id(self) -> str:
        return self.cron.id


async def backfill_cron(
    ctx: Context, cron_id: str, between: TickPeriod, expected_version: int | None = None
) -> Backfill:
    """Run the ticks of a past period, by the cron's current schedule, that have not run.

    They run at once; under overlap QUEUE one after the other, while no tick of the schedule waits.
    A tick that waits in the queue or is still due runs by itself. A repeated call starts no run
    again, as long as the ledger retains its record. Raises NotFound, VersionConflict, BadRequest
    for a period that is too long or too old, OwnerSuspended, QuotaExceeded, and PreconditionFailed
    if a run has not ended, unless runs may overlap.
    """
    found = await find_cron(ctx, cron_id, expected_version)
    cron = cron_from(found)
    await require_rights(ctx, cron.function_name)
    await _require_retained(ctx, between)
    decided = last_decided(cron, found.get("undecided"))
    until = min(between.end - MILLISECOND, await ctx.now())
    if cron.enabled:
        until = min(until, cron.next_run_time - MILLISECOND)
    planned = partial(
        _planned_ticks,
        await read_timetable(ctx, replace(cron, skipped_times=())),
        decided,
        TickPeriod(max(between.start, cron.start_at or between.start), until),
    )
    ticks = await run_in_cpu_thread(ctx.owner, planned)
    ran = await _find_ran(ctx, cron_id, between)
    started = ran.union(queued_ticks(found), backfill_ticks(found))
    missing = [tick for tick in ticks if tick not in started]
    if not missing:
        return Backfill(cron, 0, len(ticks))
    history = await read_run_history(ctx, found)
    _require_no_run(cron, found, history)
    at_once = missing[:1] if cron.overlap is OverlapPolicy.QUEUE else missing
    later = missing[len(at_once) :]
    entries = [await _run_again(ctx, cron, tick) for tick in at_once]
    runs = [entry.job_id for entry in entries]
    tracked, failures = history.tracked, history.failures
    if not cron.enabled:  # the failures that paused the cron must not stop its backfill
        tracked, failures = history.active, 0
    fields: dict[str, Any] = {
        **await record_ticks(ctx, found, entries),
        "executions": [*tracked, *runs],
        "failuresInARow": failures,
    }
    if later:
        release = await schedule_release(ctx, cron, later)
        fields |= {"backfillTicks": later, "releaseJobId": release}
    changed = await change(ctx, found, fields)
    return Backfill(changed, len(missing), len(ticks) - len(missing))


async def _require_retained(ctx: Context, between: TickPeriod) -> None:
    """Raise BadRequest for an empty period, or one whose records may be gone: its ticks could run
    again."""
    if between.end <= between.start:
        raise BadRequest.at("to", message="to must be later than from", code="too_small")
    retention = timedelta(milliseconds=ctx.settings.cron_tick_retention_ms)
    oldest = await ctx.now() - retention
    if between.start < oldest:
        message = (
            f"from: the outcomes of ticks are kept since {format_instant(oldest)}, got "
            f"{format_instant(between.start)}"
        )
        raise BadRequest.at("from", message=message, code="too_old")


def _planned_ticks(table: Timetable, decided: datetime, between: TickPeriod) -> list[datetime]:
    """Return the ticks of a period, its end included; raises BadRequest for too many.

    An interval keeps the phase of `decided`.
    """
    start = between.start - MILLISECOND
    if isinstance(table.schedule, IntervalSchedule):
        interval = timedelta(milliseconds=table.schedule.ms)
        start = decided + (start - decided) // interval * interval
    ticks, end = running_ticks(table.schedule, start, table.excluded), table.before_end(between.end)
    found = list(islice(takewhile(lambda due: due <= end, ticks), MAX_BACKFILL + 1))
    if len(found) > MAX_BACKFILL:
        message = (
            f"to: the period has more than {MAX_BACKFILL} ticks: end it at "
            f"{format_instant(found[-1])}, and continue from there"
        )
        raise BadRequest.at("to", message=message, code="too_many")
    return found


async def _find_ran(ctx: Context, cron_id: str, between: TickPeriod) -> set[datetime]:
    """Read which ticks of a period have run, by themselves or by another backfill."""
    where = {
        "cronId": cron_id,
        "outcome": TickOutcome.RAN.value,
        "scheduledTime": {"$gte": between.start, "$lt": between.end},
        "origin": {"$ne": TickOrigin.TRIGGER.value},
    }
    found = await ctx.db.ostinato("cronTicks").find(where, {"scheduledTime": 1})
    return {each["scheduledTime"] for each in found}


async def _run_again(ctx: Context, cron: Cron, tick: datetime) -> LedgerEntry:
    try:
        return await start_run(ctx, cron, tick, TickOrigin.BACKFILL)
    except BadRequest as error:
        raise PreconditionFailed(str(error)) from error
