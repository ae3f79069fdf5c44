"""Compares the runs that a cron plans before and after a change. No I/O, no clock.

It assumes that every tick runs: that no worker fails and no run is skipped by its overlap policy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, pairwise, takewhile
from typing import Final

from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.local_time import wall_time
from ostinato.jobs.planned_ticks import running_ticks
from ostinato.jobs.schedules import with_jitter

MAX_LISTED: Final = 100  # runs of each kind
MAX_COMPARED: Final = 200_000  # ticks; a month of minutes has 43,200, before and after
SLICE: Final = 1_000  # ticks


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that a cron plans."""

    tick: datetime
    starts_at: datetime
    """The time of the tick with its random delay."""


@dataclass(frozen=True, slots=True)
class MovedRun:
    """A run that a change moves: the removed and the added run next to each other."""

    before: PlannedRun
    after: PlannedRun


@dataclass(slots=True, kw_only=True)
class RunChanges:
    """What a change does to the runs of a period; the lists have the first MAX_LISTED."""

    until: datetime
    """The end of the compared period, exclusive."""
    truncated: bool = False
    """Whether a list is shortened, or the period ends early because it has too many ticks."""
    unchanged_count: int = 0
    added_count: int = 0
    removed_count: int = 0
    moved_count: int = 0
    added: list[PlannedRun] = field(default_factory=list)
    removed: list[PlannedRun] = field(default_factory=list)
    moved: list[MovedRun] = field(default_factory=list)

    def end(self, until: datetime) -> None:
        """Set whether something is missing; `until` is the end of the period that was reached."""
        listed = len(self.added) + len(self.removed) + len(self.moved)
        count = self.added_count + self.removed_count + self.moved_count
        self.truncated = until < self.until or listed < count
        self.until = until


DueRun = tuple[datetime, int]
"""A tick that runs, and the longest random delay of it in ms. Its own delay is computed only for
runs that are listed or may be equal: hashing takes longer than the rest of the comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The runs of a cron from its next tick on."""

    table: Timetable
    decided_until: datetime
    """The last planned tick before; of an interval, in its phase."""
    limit: int | None = None
    """The number of runs after which the cron ends."""

    def due_runs(self, until: datetime) -> Iterator[DueRun]:
        """Yield the runs of ticks before `until`, in order."""
        end_at = self.table.end_at
        end = until if end_at is None else min(until, end_at)
        table = self.table
        ticks = running_ticks(table.schedule, self.decided_until, table.excluded)
        found = (
            self._delayed(ticks, end)
            if table.jitter_ms
            else ((due, 0) for due in takewhile(end.__gt__, ticks))
        )
        return found if self.limit is None else islice(found, max(self.limit, 0))

    def _delayed(self, ticks: Iterator[datetime], end: datetime) -> Iterator[DueRun]:
        table, has_exclusions = self.table, bool(self.table.excluded)
        for due, following in pairwise(chain(ticks, [None])):
            if due is None or due >= end:
                return
            is_next = not has_exclusions or not self._may_pass_over(due, following)
            yield due, table.longest_delay_ms(due, following if is_next else None)

    def _may_pass_over(self, due: datetime, following: datetime | None) -> bool:
        """Return whether there may be an excluded tick between two runs."""
        if following is None:
            return True
        excluded, tz = self.table.excluded, self.table.schedule.tz
        days = (wall_time(following, tz).date() - wall_time(due, tz).date()).days
        return days > 1 or excluded.skips_between(due, following)


def compare_runs(
    before: RunPlan | None, after: RunPlan | None, until: datetime
) -> Iterator[RunChanges]:
    """Compare two plans of a cron to `until`.

    Yields the same changes after each slice and at the end. A plan is None for a paused cron. A run
    is moved if its tick stays and its delay changes, or if a removed and an added run follow each
    other, without another run between them.
    """
    changes, reached = RunChanges(until=until), until
    pairs = _merge(
        before.due_runs(until) if before else iter(()), after.due_runs(until) if after else iter(())
    )
    plan = before or after
    matcher = _Matcher(changes, plan.table.cron_id if plan else "")
    for compared, (old, new) in enumerate(pairs, 1):
        if compared > MAX_COMPARED:
            reached = min(run[0] for run in (old, new) if run is not None)
            break
        matcher.add(old, new)
        if compared % SLICE == 0:
            yield changes
    matcher.flush()
    changes.end(reached)
    yield changes


Pair = tuple[DueRun | None, DueRun | None]


def _merge(old_runs: Iterator[DueRun], new_runs: Iterator[DueRun]) -> Iterator[Pair]:
    """Yield the runs of both plans in order; those with the same tick together."""
    old, new = next(old_runs, None), next(new_runs, None)
    while old is not None and new is not None:
        if old[0] == new[0]:
            yield old, new
            old, new = next(old_runs, None), next(new_runs, None)
        elif old[0] < new[0]:
            yield old, None
            old = next(old_runs, None)
        else:
            yield None, new
            new = next(new_runs, None)
    if old is not None:
        yield from ((run, None) for run in chain([old], old_runs))
    if new is not None:
        yield from ((None, run) for run in chain([new], new_runs))


class _Matcher:
    """Joins removed and added runs that follow each other."""

    def __init__(self, changes: RunChanges, cron_id: str) -> None:
        self._changes = changes
        self._cron_id = cron_id
        self._old: DueRun | None = None
        """A removed run that waits for an added one, or the other way around."""
        self._new: DueRun | None = None

    def add(self, old: DueRun | None, new: DueRun | None) -> None:
        """Add the next tick of both plans."""
        if old is not None and new is not None:
            self.flush()
            self._keep(old, new)
        elif old is not None and self._new is not None:
            self._move(old, self._new)
            self._new = None
        elif new is not None and self._old is not None:
            self._move(self._old, new)
            self._old = None
        else:
            self.flush()
            self._old, self._new = old, new

    def flush(self) -> None:
        """Count the waiting run, which has no partner."""
        changes = self._changes
        if self._old is not None:
            changes.removed_count += 1
            if len(changes.removed) < MAX_LISTED:
                changes.removed.append(self._run(self._old))
        if self._new is not None:
            changes.added_count += 1
            if len(changes.added) < MAX_LISTED:
                changes.added.append(self._run(self._new))
        self._old = self._new = None

    def _keep(self, old: DueRun, new: DueRun) -> None:
        """Count a tick that both plans have; its delay may differ."""
        if old[1] == new[1] or self._run(old) == self._run(new):
            self._changes.unchanged_count += 1
        else:
            self._move(old, new)

    def _move(self, old: DueRun, new: DueRun) -> None:
        changes = self._changes
        changes.moved_count += 1
        if len(changes.moved) < MAX_LISTED:
            changes.moved.append(MovedRun(self._run(old), self._run(new)))

    def _run(self, run: DueRun) -> PlannedRun:
        tick, longest_delay_ms = run
        return PlannedRun(tick, with_jitter(self._cron_id, tick, longest_delay_ms))
