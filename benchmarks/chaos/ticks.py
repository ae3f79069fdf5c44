"""Checks that each tick of a cron ran its function once. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from benchmarks.chaos.expectations import CRONS
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind
from ostinato.jobs.records import Cron


def ticks(history: History) -> Iterator[str]:
    """Every tick between the first due time and the pause ran once or was counted as skipped."""
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
    runs = [job for job in history.children_of.get(cron.id, []) if not job.internal]
    due_times = [job.timeline[0].next_run_at for job in runs]
    if duplicates := {due for due in due_times if due_times.count(due) > 1}:
        yield f"{cron.name!r} ran more than once for {duplicates}"
    if unexpected := set(due_times) - expected:
        yield f"{cron.name!r} ran for {unexpected}, which are not its ticks"
    if len(expected - set(due_times)) != cron.skipped_ticks:
        missing = sorted(expected - set(due_times))
        yield f"{cron.name!r} did not run for {missing}, but counted {cron.skipped_ticks} skipped"
    if cron.skipped_ticks and not cadence.may_skip:
        yield f"{cron.name!r} skipped {cron.skipped_ticks} ticks, but may skip none"


def _due_times(first: datetime, end: datetime, every_ms: int) -> Iterator[datetime]:
    every = timedelta(milliseconds=every_ms)
    return (first + number * every for number in range((end - first) // every))
