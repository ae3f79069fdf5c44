"""Plans the ticks of a schedule, with what clock changes and exclusions do to them. No I/O.

**Clock changes.** A cronspec is in local time, by the rule of Debian's cron. If its minute or hour
begins with `*`, it follows the wall clock: it runs whenever the local time matches, so in both
passes of a repeated hour, and not in a skipped one. Otherwise it runs at fixed times, by the
schedule's policies: a skipped time runs at the first instant after the gap (`NEXT`) or not at all
(`SKIP`), a repeated one in the first pass, the last, or both. Skipped times of one gap are one run.
See `find_jobs` and `main` in cron.c of vixie-cron 3.0pl1 (Debian).

**Exclusions.** A tick on an excluded day, by its local time, is planned but does not run. A tick
that was skipped ahead of time is not planned: it is decided already.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from ostinato.jobs.cronspec import MAX_YEARS, Cronspec, parse_cronspec
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.local_time import Period, period_of, wall_time, zone_of
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import NO_DAYS, ExcludedDays, FoldPolicy, GapPolicy

SEARCHED: Final = timedelta(days=MAX_YEARS * 366)
"""If the exclusions leave no day for so long after a tick, it is the last one."""
LAST_YEAR: Final = 9_900  # with 29 February, ticks are up to 40 years apart: dates end at 9999
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_NO_TIME: Final = timedelta(0)


class TickNote(StrEnum):
    """What a clock change or an exclusion does to a tick."""

    MOVED = "moved"
    """The clocks skip its local time; it runs at the first instant after the gap."""
    SKIPPED = "skipped"
    """The clocks skip its local time; it does not run."""
    REPEATED = "repeated"
    """It runs in the second pass of a repeated local time."""
    EXCLUDED = "excluded"
    """Its day is excluded; it does not run."""


class PlannedTick(NamedTuple):
    """One tick of a schedule. Ticks are in the order of `due`, which is unique."""

    due: datetime
    """When it runs or would run; if SKIPPED, a millisecond before the clocks change."""
    local: datetime
    """The local time that the schedule names, without an offset. If MOVED or SKIPPED, it does not
    exist, and is the first one of that gap."""
    note: TickNote | None = None

    @property
    def runs(self) -> bool:
        """Whether a run is due."""
        return self.note is not TickNote.SKIPPED and self.note is not TickNote.EXCLUDED


def planned_ticks(
    schedule: Schedule, after: datetime, excluded: ExcludedDays = NO_DAYS
) -> Iterator[PlannedTick]:
    """Yield all ticks later than `after`, in order, also those that do not run.

    They end soon after LAST_YEAR. An interval counts from `after`. Takes about 1 us a tick, and up
    to 1 ms for a rare date.
    """
    return _ticks(schedule, after, _Days(excluded, lists_excluded=True))


def planned_from(
    schedule: Schedule, due: datetime, excluded: ExcludedDays = NO_DAYS
) -> Iterator[PlannedTick]:
    """Yield the tick at `due`, which a cron has stored, and all later ones."""
    local = wall_time(due, schedule.tz).replace(fold=0)
    note = TickNote.EXCLUDED if local.date() in excluded else None
    first = PlannedTick(due, local, note)
    if isinstance(schedule, CronSchedule):
        known = next(planned_ticks(schedule, due - MILLISECOND, excluded), first)
        first = known if known.due == due else first
    yield first
    yield from planned_ticks(schedule, due, excluded)


def running_ticks(
    schedule: Schedule, after: datetime, excluded: ExcludedDays = NO_DAYS
) -> Iterator[datetime]:
    """Yield when the schedule runs, later than `after`, in order; passes over excluded days.

    They end if the exclusions leave no day in MAX_YEARS, and soon after LAST_YEAR.
    """
    days = _Days(excluded, lists_excluded=False)
    return (tick.due for tick in _ticks(schedule, after, days) if tick.runs)


class _Days(NamedTuple):
    excluded: ExcludedDays
    lists_excluded: bool
    """Whether ticks on excluded days are listed, with a note."""

    @property
    def passes_over_any(self) -> bool:
        return not self.lists_excluded and bool(self.excluded)

    def passes_over(self, day: date) -> bool:
        return not self.lists_excluded and day in self.excluded


class _DaySearch:
    """The days of a cronspec. A search that begins before the day found last costs nothing."""

    def __init__(self, spec: Cronspec, days: _Days) -> None:
        self._spec = spec
        self.days = days
        self._found = self._from = date.max

    def next_matching(self, day: date, until: date) -> date | None:
        """Return the first day from `day` to `until` that matches and is not passed over."""
        if not self._from <= day <= self._found:
            found = self._next(day, until)
            if found is None:
                return None
            self._from, self._found = day, found
        return self._found if self._found <= until else None

    def _next(self, day: date, until: date) -> date | None:
        while day <= until:
            day = self._spec.next_day(day)
            if not self.days.passes_over(day):
                return day
            day = self.days.excluded.next_day(day)
        return None


def _ticks(schedule: Schedule, after: datetime, days: _Days) -> Iterator[PlannedTick]:
    ticks = (
        _interval_ticks(schedule, after, days)
        if isinstance(schedule, IntervalSchedule)
        else _cron_ticks(schedule, after, days)
    )
    skipped = days.excluded.skipped_times
    return (tick for tick in ticks if tick.due not in skipped) if skipped else ticks


def _interval_ticks(
    schedule: IntervalSchedule, after: datetime, days: _Days
) -> Iterator[PlannedTick]:
    interval = timedelta(milliseconds=schedule.ms)
    while after.year <= LAST_YEAR:
        latest, after = after, after + interval
        local = wall_time(after, schedule.tz)
        while days.passes_over(local.date()):
            day = days.excluded.next_day(local.date())
            if day > _last_searched(latest, schedule.tz):
                return
            after += max(1, -((after - first_instant(day, schedule.tz)) // interval)) * interval
            local = wall_time(after, schedule.tz)
        note = TickNote.EXCLUDED if local.date() in days.excluded else None
        yield PlannedTick(after, local.replace(fold=0), note)


def _last_searched(latest: datetime, tz: str) -> date:
    """Return the last day on which the tick after `latest` is looked for."""
    return wall_time(latest, tz).date() + SEARCHED - 2 * _DAY


def first_instant(day: date, tz: str) -> datetime:
    """Return when a day begins, or the first instant after a gap that contains its midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone_of(tz))
    return midnight.astimezone(UTC)


def _cron_ticks(schedule: CronSchedule, after: datetime, days: _Days) -> Iterator[PlannedTick]:
    spec = parse_cronspec(schedule.cronspec)
    search = _DaySearch(spec, days)
    reached = latest = after
    local_day = wall_time(reached, schedule.tz).date()
    while reached.year <= LAST_YEAR:
        # Skip the periods before the next matching day, from the day before: clocks can be set back
        # to it.
        until = _last_searched(latest, schedule.tz) if days.passes_over_any else date.max
        day = search.next_matching(local_day - _DAY, until)
        if day is None:
            return
        reached = max(reached, datetime(day.year, day.month, day.day, tzinfo=UTC) - _DAY)
        period = period_of(schedule.tz, reached)
        plan = _PeriodPlan(spec, schedule, period, search)
        for tick in plan.ticks(max(after, reached - 2 * MILLISECOND)):
            latest = tick.due
            yield tick
        reached, local_day = period.end, period.next_wall.date()


class _PeriodPlan:
    """The ticks of a cronspec in one period."""

    def __init__(
        self, spec: Cronspec, schedule: CronSchedule, period: Period, search: _DaySearch
    ) -> None:
        self._spec = spec
        self._period = period
        self._search = search
        fixed = not spec.follows_wall_clock
        self._on_gap = schedule.on_gap if fixed else GapPolicy.SKIP
        self._on_fold = schedule.on_fold if fixed else FoldPolicy.BOTH

    def ticks(self, after: datetime) -> Iterator[PlannedTick]:
        """Yield the ticks later than `after`."""
        period = self._period
        if after >= period.start:
            wall = after.replace(tzinfo=None, microsecond=0) + period.offset + _SECOND
            return self._matching(wall)
        if period.is_plain:
            return self._matching(period.first_wall)
        return self._ticks_after_change(after)

    def _ticks_after_change(self, after: datetime) -> Iterator[PlannedTick]:
        """Yield the ticks of the whole period, and that of the gap at its start."""
        ticks = self._matching(self._period.first_wall)
        gap, first = self._gap_tick(), next(ticks, None)
        if gap is not None and gap.due > after:
            if first is not None and first.due == gap.due:
                first = first if gap.note is TickNote.EXCLUDED else gap
            else:
                yield gap
        if first is not None:
            yield first
            yield from ticks

    def _gap_tick(self) -> PlannedTick | None:
        """Return the tick for the local times that the clocks skip at the start of the period."""
        period, found = self._period, None
        moves = self._on_gap is GapPolicy.NEXT
        due = period.start if moves else period.start - MILLISECOND
        note = TickNote.MOVED if moves else TickNote.SKIPPED
        for tick in self._between(period.reached_wall, period.first_wall, note):
            found = found or tick._replace(due=due)
            if tick.note is note:
                return tick._replace(due=due)
        return found

    def _matching(self, wall: datetime) -> Iterator[PlannedTick]:
        """Yield the ticks at the local time `wall` or later, by the policy for repeated times."""
        if self._period.is_plain:
            return self._between(wall, self._period.last_wall, None)
        return self._matching_once(wall)

    def _matching_once(self, wall: datetime) -> Iterator[PlannedTick]:
        period = self._period
        end, first = period.last_wall, period.reached_wall
        if self._on_fold is FoldPolicy.LAST:
            end = min(end, period.next_wall)
        if self._on_fold is not FoldPolicy.FIRST:
            yield from self._between(wall, min(first, end), TickNote.REPEATED)
        yield from self._between(max(wall, first), end, None)

    def _between(
        self, lower: datetime, upper: datetime, note: TickNote | None
    ) -> Iterator[PlannedTick]:
        """Yield the ticks from `lower`, to `upper` exclusive; both are local times."""
        while lower < upper:
            day = self._search.next_matching(lower.date(), upper.date())
            if day is None:
                return
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (local time)
            if midnight >= upper:
                return
            start = (midnight - self._period.offset).replace(tzinfo=UTC)
            kind = TickNote.EXCLUDED if day in self._search.days.excluded else note
            for time in self._spec.times_of_day(max(lower - midnight, _NO_TIME)):
                local = midnight + time
                if local >= upper:
                    return
                yield PlannedTick(start + time, local, kind)
            lower = midnight + _DAY
