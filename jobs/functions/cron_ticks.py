"""Schedules the next tick job of a cron, and its due runs according to its overlap policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import (
    LedgerEntry,
    TickOrigin,
    TickOutcome,
    TickReason,
    entries_of,
    tick_counts_from,
)
from ostinato.jobs.due_ticks import TickDecision, Timetable, decide_ticks, last_decided
from ostinato.jobs.errors import BadRequest, QuotaExceeded
from ostinato.jobs.functions.failures import record_refusal
from ostinato.jobs.functions.job_chain import TICK_HORIZON, read_pause_reason
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.logs import LogThrottle
from ostinato.jobs.records import Cause, CauseKind, Cron, OverlapPolicy, PauseReason
from ostinato.jobs.run_history import (
    MAX_OVERLAPPING,
    MAX_TRACKED,
    RELEASE_QUEUED,
    RunHistory,
    count_failures,
    executions_in,
)

EXECUTE_CRON: Final = "crons.executeCron"
"""The name of a function in `crons`, which imports this module."""
MAX_QUEUED_TICKS: Final = 100  # further ticks are skipped and counted
RELEASE_POLL_MS: Final = 5_000  # a worker releases at once, unless it is lost when a run ends
LOG_PERIOD_S: Final = 3_600.0  # even for a cron that ticks every second

_throttle = LogThrottle(LOG_PERIOD_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapResult:
    """What the overlap policy did with the due ticks of a cron, and with its queued ones."""

    executions: list[str]
    """The runs whose outcomes are not counted yet, oldest first."""
    failures: int
    """The failures in a row of the runs before them."""
    queued: list[datetime]
    backfill: list[datetime]
    """The past ticks of a backfill that have not run yet."""
    entries: list[LedgerEntry]
    """The records of the ticks whose outcome is decided, oldest first."""

    @property
    def started(self) -> int:
        """The number of ticks of the schedule that ran."""
        return sum(entry.did_run and entry.origin is TickOrigin.SCHEDULE for entry in self.entries)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the cron's document."""
        return {
            "executions": self.executions,
            "failuresInARow": self.failures,
            "queuedTicks": self.queued,
            "backfillTicks": self.backfill,
        }

    def job_of(self, due: datetime) -> str | None:
        """Return the job of a tick that ran."""
        jobs = (entry.job_id for entry in self.entries if entry.first == due)
        return next(jobs, None)


async def schedule_tick(ctx: Context, cron_id: str, version: int, due: datetime) -> str:
    """Schedule the tick job for `due`, or an intermediate tick if that is too far ahead.

    `version` is the cron's version after this change. It is part of the deduplication key, so
    that a changed cron can have a tick job for the same due time.
    """
    return await ctx.scheduler.run_at(
        min(due, await ctx.now() + TICK_HORIZON),
        EXECUTE_CRON,
        {"cronId": cron_id},
        cause=Cause(kind=CauseKind.CRON, id=cron_id),
        tick={"cronId": cron_id, "cronVersion": version, "due": due},
    )


async def schedule_start(ctx: Context, cron: Cron, tick: datetime) -> str:
    """Schedule the tick job for the time at which the cron's next tick runs, after its delay.

    The caller increments the version of the cron's document.
    """
    start = Timetable.of(cron).start_of(tick)
    return await schedule_tick(ctx, cron.id, cron.version + 1, start)


async def decide_due_ticks(
    ctx: Context, table: Timetable, cron: Cron, found: dict[str, Any], now: datetime
) -> TickDecision:
    """Decide about the due ticks; after a long time, in the CPU thread."""
    after = last_decided(cron, found.get("undecided"))
    decide = partial(decide_ticks, table, after, now, cron.catch_up)
    return (
        await run_in_cpu_thread(ctx.owner, decide) if table.may_have_many(after, now) else decide()
    )


async def start_due_runs(
    ctx: Context, cron: Cron, found: dict[str, Any], due_times: Sequence[datetime]
) -> OverlapResult:
    """Schedule a run for each due time, oldest first; `found` is the cron's document.

    Runs started by one call do not count as overlapping, unless they are queued. Ticks that were
    queued before the policy was changed still run one after the other, and before later ones.
    Ticks of a backfill wait for those of the schedule.
    """
    queue = queued_ticks(found)
    policy = OverlapPolicy.QUEUE if queue else cron.overlap
    history = await read_run_history(ctx, found)
    active = history.active if policy is not OverlapPolicy.ALLOW else ()
    waiting: list[datetime] = []
    skipped: list[LedgerEntry] = []
    if policy is OverlapPolicy.QUEUE:
        waiting = [*queue, *due_times]
        ready = [] if active else waiting[:1]
        waiting = waiting[len(ready) :]
    else:
        ready = [] if active else list(due_times)
        if active:
            skipped = entries_of(due_times, TickOutcome.SKIPPED, TickReason.OVERLAP)
    left = runs_left(cron, found)
    if left is not None and left <= len(ready):
        unused = [*ready[left:], *waiting]
        ready, waiting = ready[:left], []
        skipped += entries_of(unused, TickOutcome.SKIPPED, TickReason.MAX_RUNS)
    queued, overflow = waiting[:MAX_QUEUED_TICKS], waiting[MAX_QUEUED_TICKS:]
    started = await _start(ctx, cron, ready)
    backfill = backfill_ticks(found)
    if backfill and not (history.active or ready or queued):
        started, backfill = await _start_backfill(ctx, cron, backfill)
    jobs = [entry.job_id for entry in started if entry.job_id is not None]
    skipped += entries_of(overflow, TickOutcome.SKIPPED, TickReason.QUEUE_FULL)
    return OverlapResult(
        executions=[*history.tracked, *jobs],
        failures=history.failures,
        queued=queued,
        backfill=backfill,
        entries=[*started, *skipped],
    )


def runs_left(cron: Cron, found: dict[str, Any]) -> int | None:
    """Return how many ticks may still run; None without a maximum."""
    if cron.max_runs is None:
        return None
    return max(cron.max_runs - tick_counts_from(found).ran, 0)


def used_up_fields(cron: Cron, found: dict[str, Any], done: OverlapResult) -> dict[str, Any]:
    """Return the fields that pause a cron which has had its last run; empty before."""
    left = runs_left(cron, found)
    if left is None or done.started < left:
        return {}
    reason = PauseReason.MAX_RUNS.value
    return {"enabled": False, "schedulerJobId": None, "pausedBecause": reason}


async def read_reason_to_pause(
    ctx: Context, cron: Cron, found: dict[str, Any]
) -> PauseReason | None:
    """Return why a cron must not tick: its owner's rights, or its failed runs; None if it may."""
    reason = await read_pause_reason(ctx, cron.function_name)
    if reason is None and cron.pause_after_failures is not None:
        history = await read_run_history(ctx, found)
        if history.failures_in_a_row >= cron.pause_after_failures:
            return PauseReason.FAILED_RUNS
    return reason


async def read_run_history(ctx: Context, found: dict[str, Any]) -> RunHistory:
    """Read which runs of a cron have not ended, and how many have failed in a row.

    `found` is the cron's document. Use it in the transaction of a tick: `failures_in_a_row` is
    exact, also for runs that have ended since the last tick.
    """
    executions, failures = executions_in(found)
    states: dict[str, str] = {}
    if executions:
        fields = {"state": 1}
        jobs = await ctx.db.ostinato("jobs").find({"_id": {"$in": executions}}, fields)
        states = {job["_id"]: job["state"] for job in jobs}
    overlaps = found.get("overlap") == OverlapPolicy.ALLOW
    limit = MAX_OVERLAPPING if overlaps else MAX_TRACKED
    return count_failures(failures, executions, states, limit)


def queued_ticks(found: dict[str, Any]) -> list[datetime]:
    """Return the ticks in the queue of a cron's document, without malformed ones."""
    return _ticks_in(found, "queuedTicks")


def backfill_ticks(found: dict[str, Any]) -> list[datetime]:
    """Return the ticks that wait in a backfill of a cron's document, without malformed ones."""
    return _ticks_in(found, "backfillTicks")


def _ticks_in(found: dict[str, Any], field: str) -> list[datetime]:
    stored = found.get(field)
    given = stored if isinstance(stored, list) else []
    return [tick for tick in given if isinstance(tick, datetime)]


async def schedule_release(ctx: Context, cron: Cron, waiting: Sequence[datetime]) -> str | None:
    """Schedule a job that starts a waiting tick; return None if none waits."""
    if not waiting:
        return None
    return await ctx.scheduler.run_after(
        RELEASE_POLL_MS,
        RELEASE_QUEUED,
        {"cronId": cron.id},
        cause=Cause(kind=CauseKind.CRON, id=cron.id),
    )


async def _start(ctx: Context, cron: Cron, due_times: Sequence[datetime]) -> list[LedgerEntry]:
    """Schedule the function once per due time, and return the records of the ticks.

    If the function no longer exists, records a failure. If the owner has no room for another
    pending job, records a failure at most once an hour, and starts no more.
    """
    entries: list[LedgerEntry] = []
    try:
        for due in due_times:
            entries += [await start_run(ctx, cron, due, TickOrigin.SCHEDULE)]
    except (BadRequest, QuotaExceeded) as error:
        is_quota = isinstance(error, QuotaExceeded)
        key = error.code if is_quota else str(error)
        if _throttle.allows((cron.id, key)):
            ctx.log.error("cron.not_executed", cron_id=cron.id, reason=str(error))
        await record_refusal(ctx, cron.id, cron.function_name, error, cron.args)
        reason = TickReason.QUOTA_EXCEEDED if is_quota else TickReason.FUNCTION_REFUSED
        entries += entries_of(due_times[len(entries) :], TickOutcome.SKIPPED, reason)
    return entries


async def _start_backfill(
    ctx: Context, cron: Cron, waiting: list[datetime]
) -> tuple[list[LedgerEntry], list[datetime]]:
    """Start the next tick of a backfill; return its record, and the ticks that still wait.

    If the owner has no room for another pending job, it waits. If the function refuses the call,
    records a failure, and skips all that wait.
    """
    try:
        return [await start_run(ctx, cron, waiting[0], TickOrigin.BACKFILL)], waiting[1:]
    except QuotaExceeded:
        return [], waiting
    except BadRequest as error:
        await record_refusal(ctx, cron.id, cron.function_name, error, cron.args)
        skipped = entries_of(waiting, TickOutcome.SKIPPED, TickReason.FUNCTION_REFUSED)
        return [replace(entry, origin=TickOrigin.BACKFILL) for entry in skipped], []


async def start_run(ctx: Context, cron: Cron, due: datetime, origin: TickOrigin) -> LedgerEntry:
    """Schedule the function for a tick, with the cron's random delay unless it is a backfill.

    Raises BadRequest if the function refuses its arguments or is gone, and QuotaExceeded.
    """
    delayed = Timetable.of(cron).start_of(due) if origin is TickOrigin.SCHEDULE else due
    cause = Cause(kind=CauseKind.CRON, id=cron.id)
    job_id = await ctx.scheduler.run_at(
        delayed, cron.function_name, cron.args, cause=cause, tags=cron.tags
    )
    delay_ms = (delayed - due) // MILLISECOND
    return LedgerEntry(
        outcome=TickOutcome.RAN, first=due, job_id=job_id, delay_ms=delay_ms, origin=origin
    )
