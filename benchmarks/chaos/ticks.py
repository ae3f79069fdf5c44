"""Checks that each tick of each cron ran its function once. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind
from benchmarks.chaos.promises import CRONS
from ostinato.jobs.records import Cron


def ticks(history: History) -> Iterator[str]:
    """Between its first due time and its pause, every one ran once, or is counted as skipped."""
    crons = {cron.id: cron for cron in history.crons}
    for operation in history.operations:
        if operation.request.kind is not Kind.REGISTER_CRON or not operation.is_ok:
            continue
        cron = crons.get(str(operation.answer.value["registered"]))
        if cron is None:
            yield f"the cron of operation {operation.number} was acknowledged and is gone"
        elif cron.enabled:
            yield f"{cron.name!r} was not paused"
        else:
            first = datetime.fromisoformat(str(operation.answer.value["nextRunTime"]))
            yield from _ticks_of(history, cron, first)


def _ticks_of(history: History, cron: Cron, first: datetime) -> Iterator[str]:
    cadence = CRONS[cron.name]
    expected = set(_dues(first, cron.next_run_time, cadence.every_ms))
    runs = [job for job in history.children_of.get(cron.id, []) if not job.internal]
    dues = [job.timeline[0].next_run_at for job in runs]
    if doubled := {due for due in dues if dues.count(due) > 1}:
        yield f"{cron.name!r} ran more than once for {doubled}"
    if strange := set(dues) - expected:
        yield f"{cron.name!r} ran for {strange}, which are none of its ticks"
    if len(expected - set(dues)) != cron.skipped_ticks:
        missing = sorted(expected - set(dues))
        yield f"{cron.name!r} did not run for {missing}, and says it skipped {cron.skipped_ticks}"
    if cron.skipped_ticks and not cadence.may_skip:
        yield f"{cron.name!r} skipped {cron.skipped_ticks} ticks, and may skip none"


def _dues(first: datetime, end: datetime, every_ms: int) -> Iterator[datetime]:
    every = timedelta(milliseconds=every_ms)
    return (first + number * every for number in range((end - first) // every))
