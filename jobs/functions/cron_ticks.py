"""Schedules the next tick job of a cron, and its due runs according to its overlap policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import LedgerEntry, TickOutcome, TickReason, entries_of
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.errors import BadRequest, QuotaExceeded
from ostinato.jobs.functions.failures import record_refusal
from ostinato.jobs.functions.job_chain import TICK_HORIZON
from ostinato.jobs.logs import LogThrottle
from ostinato.jobs.passed_ticks import MILLISECOND
from ostinato.jobs.records import Cause, CauseKind, Cron, OverlapPolicy
from ostinato.jobs.run_history import (
    MAX_OVERLAPPING,
    MAX_TRACKED,
    RunHistory,
    count_failures,
    executions_in,
)

EXECUTE_CRON: Final = "crons.executeCron"
RELEASE_QUEUED: Final = "crons.releaseQueued"
"""The names of two functions in `crons`, which imports this module."""
MAX_QUEUED_TICKS: Final = 100  # further ticks are skipped and counted
RELEASE_POLL_MS: Final = 1_000  # how often queued ticks check for the end of the previous run
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
    entries: list[LedgerEntry]
    """The records of the ticks whose outcome is decided, oldest first."""

    @property
    def started(self) -> bool:
        """Whether a tick ran."""
        return any(entry.did_run for entry in self.entries)

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


async def start_due_runs(
    ctx: Context, cron: Cron, found: dict[str, Any], due_times: Sequence[datetime]
) -> OverlapResult:
    """Schedule a run for each due time, oldest first; `found` is the cron's document.

    Runs started by one call do not count as overlapping, unless they are queued. Ticks that were
    queued before the policy was changed still run one after the other, and before later ones.
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
    queued, overflow = waiting[:MAX_QUEUED_TICKS], waiting[MAX_QUEUED_TICKS:]
    started = await _start(ctx, cron, ready)
    jobs = [entry.job_id for entry in started if entry.job_id is not None]
    skipped += entries_of(overflow, TickOutcome.SKIPPED, TickReason.QUEUE_FULL)
    return OverlapResult(
        executions=[*history.tracked, *jobs],
        failures=history.failures,
        queued=queued,
        entries=[*started, *skipped],
    )


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
    stored = found.get("queuedTicks")
    given = stored if isinstance(stored, list) else []
    return [tick for tick in given if isinstance(tick, datetime)]


async def schedule_release(ctx: Context, cron: Cron, queued: Sequence[datetime]) -> str | None:
    """Schedule a job that starts queued ticks; return None if there are none."""
    if not queued:
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
            entries += [await _start_one(ctx, cron, due)]
    except (BadRequest, QuotaExceeded) as error:
        is_quota = isinstance(error, QuotaExceeded)
        key = error.code if is_quota else str(error)
        if _throttle.allows((cron.id, key)):
            ctx.log.error("cron.not_executed", cron_id=cron.id, reason=str(error))
        await record_refusal(ctx, cron.id, cron.function_name, error, cron.args)
        reason = TickReason.QUOTA_EXCEEDED if is_quota else TickReason.FUNCTION_REFUSED
        entries += entries_of(due_times[len(entries) :], TickOutcome.SKIPPED, reason)
    return entries


async def _start_one(ctx: Context, cron: Cron, due: datetime) -> LedgerEntry:
    delayed = Timetable.of(cron).start_of(due)
    cause = Cause(kind=CauseKind.CRON, id=cron.id)
    job_id = await ctx.scheduler.run_at(
        delayed, cron.function_name, cron.args, cause=cause, tags=cron.tags
    )
    delay_ms = (delayed - due) // MILLISECOND
    return LedgerEntry(outcome=TickOutcome.RAN, first=due, job_id=job_id, delay_ms=delay_ms)
