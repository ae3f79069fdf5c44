"""Compares the runs that a cron plans before and after a change. No I/O, no clock.

It assumes that every tick runs: that no worker fails and no run is skipped by its overlap policy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, pairwise
from typing import Final

from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.local_time import wall_time
from ostinato.jobs.planned_ticks import running_ticks

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

    def add(self, run: PlannedRun) -> None:
        self.added_count += 1
        if len(self.added) < MAX_LISTED:
            self.added.append(run)

    def remove(self, run: PlannedRun) -> None:
        self.removed_count += 1
        if len(self.removed) < MAX_LISTED:
            self.removed.append(run)

    def move(self, before: PlannedRun, after: PlannedRun) -> None:
        self.moved_count += 1
        if len(self.moved) < MAX_LISTED:
            self.moved.append(MovedRun(before, after))

    def end(self, until: datetime) -> None:
        """Set whether something is missing; `until` is the end of the period that was reached."""
        listed = len(self.added) + len(self.removed) + len(self.moved)
        count = self.added_count + self.removed_count + self.moved_count
        self.truncated = until < self.until or listed < count
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The runs of a cron from its next tick on."""

    table: Timetable
    decided_until: datetime
    """The last planned tick before; of an interval, in its phase."""
    limit: int | None = None
    """The number of runs after which the cron ends."""

    def runs(self, until: datetime) -> Iterator[PlannedRun]:
        """Yield the runs of ticks before `until`, in order."""
        end_at = self.table.end_at
        found = self._runs(until if end_at is None else min(until, end_at))
        return found if self.limit is None else islice(found, max(self.limit, 0))

    def _runs(self, end: datetime) -> Iterator[PlannedRun]:
        table = self.table
        ticks = running_ticks(table.schedule, self.decided_until, table.excluded)
        for due, following in pairwise(chain(ticks, [None])):
            if due is None or due >= end:
                return
            # The delay of a tick ends before the next one that exists, even if that is excluded.
            if following is None or self._may_pass_over(due, following):
                yield PlannedRun(due, table.start_of(due))
            else:
                yield PlannedRun(due, table.delayed(due, following))

    def _may_pass_over(self, due: datetime, following: datetime) -> bool:
        """Return whether there may be an excluded tick between two runs."""
        excluded, tz = self.table.excluded, self.table.schedule.tz
        if not excluded or not self.table.jitter_ms:
            return False
        days = (wall_time(following, tz).date() - wall_time(due, tz).date()).days
        return days > 1 or excluded.skips_between(due, following)


def compare_runs(
    before: RunPlan | None, after: RunPlan | None, until: datetime
) -> Iterator[RunChanges]:
    """Compare two plans to `until`; yields the same changes after each slice and at the end.

    A plan is None for a paused cron. A run is moved if its tick stays and its delay changes, or if
    a removed and an added run follow each other, without another run between them.
    """
    changes, reached = RunChanges(until=until), until
    pairs = _merge(before.runs(until) if before else (), after.runs(until) if after else ())
    matcher = _Matcher(changes)
    for compared, (old, new) in enumerate(pairs, 1):
        if compared > MAX_COMPARED:
            reached = min(run.tick for run in (old, new) if run is not None)
            break
        matcher.add(old, new)
        if compared % SLICE == 0:
            yield changes
    matcher.flush()
    changes.end(reached)
    yield changes


Pair = tuple[PlannedRun | None, PlannedRun | None]


def _merge(before: Iterable[PlannedRun], after: Iterable[PlannedRun]) -> Iterator[Pair]:
    """Yield the runs of both plans in order; those with the same tick together."""
    old_runs, new_runs = iter(before), iter(after)
    old, new = next(old_runs, None), next(new_runs, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.tick < new.tick):
            yield old, None
            old = next(old_runs, None)
        elif old is None or new.tick < old.tick:
            yield None, new
            new = next(new_runs, None)
        else:
            yield old, new
            old, new = next(old_runs, None), next(new_runs, None)


class _Matcher:
    """Joins removed and added runs that follow each other."""

    def __init__(self, changes: RunChanges) -> None:
        self._changes = changes
        self._old: PlannedRun | None = None
        self._new: PlannedRun | None = None

    def add(self, old: PlannedRun | None, new: PlannedRun | None) -> None:
        """Add the next tick of both plans."""
        if (old is not None and self._old is not None) or (
            new is not None and self._new is not None
        ):
            self.flush()
        self._old, self._new = old or self._old, new or self._new
        if self._old is not None and self._new is not None:
            if self._old == self._new:
                self._changes.unchanged_count += 1
            else:
                self._changes.move(self._old, self._new)
            self._old = self._new = None

    def flush(self) -> None:
        """Count the waiting run, which has no partner."""
        if self._old is not None:
            self._changes.remove(self._old)
        if self._new is not None:
            self._changes.add(self._new)
        self._old = self._new = None
