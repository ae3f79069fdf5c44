"""Checks that each tick of a cron ran its function once, and has one record in the ledger. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from benchmarks.chaos.expectations import CRONS
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind
from ostinato.jobs.cron_ledger import CronTick, TickOrigin, TickOutcome, TickReason
from ostinato.jobs.records import Cron


def ticks(history: History) -> Iterator[str]:
    """Every tick between the first due time and the pause ran once, or its record says why not."""
    crons = {cron.id: cron for cron in history.crons}
    for operation in history.operations:
        if operation.request.kind is not Kind.REGISTER_CRON or not operation.is_ok:
            continue
        cron = crons.get(str(operation.answer.value["registered"]))
        if cron is None:
            yield f"the cron of operation {operation.number} was acknowledged but is gone"
        elif cron.enabled:
            yield f"{cron.name!r} was not paused"
        else:
            first = datetime.fromisoformat(str(operation.answer.value["nextRunTime"]))
            yield from _ticks_of(history, cron, first)


def _ticks_of(history: History, cron: Cron, first: datetime) -> Iterator[str]:
    cadence = CRONS[cron.name]
    expected = set(_due_times(first, cron.next_run_time, cadence.every_ms))
    records = [tick for tick in history.cron_ticks if tick.cron_id == cron.id]
    ticks = [tick for tick in records if tick.origin is TickOrigin.SCHEDULE]
    expected |= {tick.scheduled_time for tick in ticks if tick.reason is TickReason.REQUESTED}
    others = {tick.job_id for tick in records if tick.origin is not TickOrigin.SCHEDULE}
    children = history.children_of.get(cron.id, [])
    runs = [job for job in children if not job.internal and job.id not in others]
    due_times = [job.timeline[0].next_run_at for job in runs]
    if duplicates := {due for due in due_times if due_times.count(due) > 1}:
        yield f"{cron.name!r} ran more than once for {duplicates}"
    if unexpected := set(due_times) - expected:
        yield f"{cron.name!r} ran for {unexpected}, which are not its ticks"
    yield from _records_of(cron, ticks, expected)
    recorded = {(tick.scheduled_time, tick.job_id) for tick in ticks if _did_run(tick)}
    ran = {(job.timeline[0].next_run_at, job.id) for job in runs}
    if recorded != ran:
        yield f"the ledger of {cron.name!r} and its runs differ: {recorded ^ ran}"
    if not cadence.may_skip and (skipped := [tick for tick in ticks if not _may_have(tick)]):
        yield f"{cron.name!r} may skip no tick, but has {skipped}"


def _records_of(cron: Cron, ticks: Sequence[CronTick], expected: set[datetime]) -> Iterator[str]:
    """Each tick has one record; a range may contain others that are recorded apart."""
    left = set(expected)
    for tick in sorted(ticks, key=lambda each: each.last_scheduled_time - each.scheduled_time):
        found = {at for at in left if tick.scheduled_time <= at <= tick.last_scheduled_time}
        if len(found) != tick.tick_count:
            yield f"{len(found)} ticks of {cron.name!r} are left for {tick}"
        left -= found
    if left:
        yield f"ticks of {cron.name!r} have no outcome: {left}"
    if cron.tick_counts.planned != len(expected):
        yield f"{cron.name!r} counted {cron.tick_counts}, and planned {len(expected)} ticks"


def _did_run(tick: CronTick) -> bool:
    return tick.outcome is TickOutcome.RAN


def _may_have(tick: CronTick) -> bool:
    """Whether the last ticks of any cron may have this outcome: it is paused at the end."""
    paused = tick.outcome is TickOutcome.CANCELED and tick.reason is TickReason.PAUSED
    return _did_run(tick) or paused or tick.outcome is TickOutcome.MISSED


def _due_times(first: datetime, end: datetime, every_ms: int) -> Iterator[datetime]:
    every = timedelta(milliseconds=every_ms)
    return (first + number * every for number in range((end - first) // every))
