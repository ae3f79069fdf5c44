"""Counts the planned ticks of a period that has passed, and finds the newest of them. No I/O.

A few ticks are walked. Of many, whole local days are counted by their number of times, except those
next to a change of the clocks, so that a year of seconds takes less than a second.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import Final, NamedTuple

from ostinato.jobs.cronspec import Cronspec, parse_cronspec
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.local_time import period_of, wall_time
from ostinato.jobs.planned_ticks import (
    SEARCHED,
    PlannedTick,
    TickNote,
    first_instant,
    planned_ticks,
    running_ticks,
)
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import NO_DAYS, ExcludedDays

MAX_WALKED: Final = 2_000  # ticks; they take 4 ms
MAX_NEWEST: Final = 501  # one more than are run at once
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TickRange:
    """Some ticks in order: their number, the first and the last. Others may lie between them."""

    count: int
    first: datetime
    last: datetime

    def plus(self, later: "TickRange | None") -> "TickRange":
        """Join it with ticks after it."""
        if later is None:
            return self
        return TickRange(self.count + later.count, self.first, later.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedTicks:
    """The planned ticks of a period."""

    runnable: TickRange | None
    newest: tuple[datetime, ...]
    """The runnable ticks, oldest first: all of them, or the last MAX_NEWEST."""
    excluded: TickRange | None = None
    """Those on excluded days."""
    not_existing: TickRange | None = None
    """Those at a local time that the clocks skipped."""
    reached: datetime
    """The last planned tick; the start of the period if there is none."""

    def without_newest(self, count: int) -> TickRange | None:
        """Return the runnable ticks without the newest ones; None if none are left."""
        if self.runnable is None or self.runnable.count <= count:
            return None
        last = self.newest[-1 - count]
        return TickRange(self.runnable.count - count, self.runnable.first, last)


class _Sums:
    """The ranges of ticks by what happens to them."""

    def __init__(self) -> None:
        self._ranges: dict[TickNote | None, TickRange] = {}

    def add(self, note: TickNote | None, ticks: TickRange | None) -> None:
        kind = note if note in (TickNote.EXCLUDED, TickNote.SKIPPED) else None
        if ticks is not None:
            known = self._ranges.get(kind)
            self._ranges[kind] = ticks if known is None else known.plus(ticks)

    def add_all(self, ticks: Iterable[PlannedTick]) -> None:
        for tick in ticks:
            self.add(tick.note, TickRange(1, tick.due, tick.due))

    def passed(self, after: datetime, newest: Iterable[datetime]) -> PassedTicks:
        last = max((each.last for each in self._ranges.values()), default=after)
        return PassedTicks(
            runnable=self._ranges.get(None),
            newest=tuple(newest),
            excluded=self._ranges.get(TickNote.EXCLUDED),
            not_existing=self._ranges.get(TickNote.SKIPPED),
            reached=last,
        )


def passed_ticks(
    schedule: Schedule, after: datetime, until: datetime, excluded: ExcludedDays = NO_DAYS
) -> PassedTicks:
    """Return the ticks later than `after`, to `until` inclusive.

    An interval counts from `after`. Call it in a thread if there may be many ticks.
    """
    sums = _Sums()
    few = list(islice(_between(schedule, after, until, excluded), MAX_WALKED + 1))
    if len(few) <= MAX_WALKED:
        sums.add_all(few)
        newest = deque((tick.due for tick in few if tick.runs), MAX_NEWEST)
        return sums.passed(after, newest)
    days = list(_days_between(schedule.tz, after, until))
    counted = _Counter(schedule, after, until, excluded)
    for day in days:
        counted.add_to(sums, day)
    return sums.passed(after, counted.newest(days))


def next_runnable(schedule: Schedule, after: datetime, excluded: ExcludedDays) -> datetime:
    """Return the first tick later than `after` that runs; an interval counts from `after`.

    If the next 50 years are excluded, returns a tick after them that does not run.
    """
    for due in running_ticks(schedule, after, excluded):
        return due
    for tick in planned_ticks(schedule, _aligned(schedule, after, after + SEARCHED), excluded):
        return tick.due
    raise ValueError(f"there is no tick after {after}")


def is_never(after: datetime, tick: datetime) -> bool:
    """Return whether `tick` is one that `next_runnable` returns because none runs."""
    return tick - after > SEARCHED


def _between(
    schedule: Schedule, after: datetime, until: datetime, excluded: ExcludedDays
) -> Iterator[PlannedTick]:
    return takewhile(lambda tick: tick.due <= until, planned_ticks(schedule, after, excluded))


class _LocalDay(NamedTuple):
    """A local day, as a range of instants."""

    day: date
    start: datetime
    end: datetime
    """Exclusive."""
    is_plain: bool
    """Whether it is far from changes of the clocks."""


class _Counter:
    """Counts the ticks of local days."""

    def __init__(
        self, schedule: Schedule, after: datetime, until: datetime, excluded: ExcludedDays
    ) -> None:
        self._schedule = schedule
        self._after = after
        self._until = until
        self._excluded = excluded

    def add_to(self, sums: _Sums, day: _LocalDay) -> None:
        is_whole = self._after < day.start and day.end <= self._until
        if self._excluded.skips_between(day.start, day.end):
            sums.add_all(self._walk(day))
        elif isinstance(self._schedule, IntervalSchedule):
            kind = TickNote.EXCLUDED if day.day in self._excluded else None
            sums.add(kind, self._interval_ticks(self._schedule, day))
        elif is_whole and day.is_plain:
            kind = TickNote.EXCLUDED if day.day in self._excluded else None
            sums.add(kind, _plain_day(parse_cronspec(self._schedule.cronspec), day))
        else:
            sums.add_all(self._walk(day))

    def newest(self, days: list[_LocalDay]) -> deque[datetime]:
        """Return the newest runnable ticks, oldest first."""
        found: deque[datetime] = deque()
        for day in reversed(days):
            if day.is_plain and day.day in self._excluded:
                continue
            runnable = [tick.due for tick in self._walk(day) if tick.runs]
            found.extendleft(reversed(runnable[len(found) - MAX_NEWEST :]))
            if len(found) >= MAX_NEWEST:
                break
        return found

    def _walk(self, day: _LocalDay) -> Iterator[PlannedTick]:
        start = max(self._after, day.start - MILLISECOND)
        aligned = _aligned(self._schedule, self._after, start)
        until = min(self._until, day.end - MILLISECOND)
        return _between(self._schedule, aligned, until, self._excluded)

    def _interval_ticks(self, schedule: IntervalSchedule, day: _LocalDay) -> TickRange | None:
        interval = timedelta(milliseconds=schedule.ms)
        first = max(-((self._after - day.start) // interval), 1)
        last = (min(self._until, day.end - MILLISECOND) - self._after) // interval
        if last < first:
            return None
        return TickRange(
            last - first + 1, self._after + first * interval, self._after + last * interval
        )


def _plain_day(spec: Cronspec, day: _LocalDay) -> TickRange | None:
    if spec.next_day(day.day) != day.day:
        return None
    hours, minutes, seconds = spec.hours, spec.minutes, spec.seconds
    first, last = (
        timedelta(hours=hours[at], minutes=minutes[at], seconds=seconds[at]) for at in (0, -1)
    )
    count = len(hours) * len(minutes) * len(seconds)
    return TickRange(count, day.start + first, day.start + last)


def _days_between(tz: str, after: datetime, until: datetime) -> Iterator[_LocalDay]:
    """Yield the local days that contain a time later than `after`, to `until`."""
    day = wall_time(after, tz).date()
    start = first_instant(day, tz)
    while start <= until:
        end = first_instant(day + _DAY, tz)
        if end > after:
            offsets = {
                period_of(tz, start - _DAY // 12).offset,
                period_of(tz, end + _DAY // 12).offset,
            }
            yield _LocalDay(day, start, end, is_plain=len(offsets) == 1)
        day, start = day + _DAY, end


def _aligned(schedule: Schedule, phase: datetime, instant: datetime) -> datetime:
    """Return the last time in the phase of an interval that is not later than `instant`."""
    if isinstance(schedule, CronSchedule):
        return instant
    interval = timedelta(milliseconds=schedule.ms)
    return phase + (instant - phase) // interval * interval
