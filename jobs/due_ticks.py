"""Decides what becomes of a schedule's due ticks, by its catch-up policy. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from ostinato.jobs.cron_ledger import LedgerEntry, TickOutcome, TickReason
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.passed_ticks import (
    MAX_NEWEST,
    MAX_WALKED,
    PassedTicks,
    TickRange,
    next_runnable,
    passed_ticks,
)
from ostinato.jobs.records import CatchUpPolicy, Cron, IntervalSchedule, Schedule
from ostinato.jobs.schedules import first_run, ticks_per_day, with_jitter
from ostinato.jobs.time_rules import NO_DAYS, ExcludedDays

MAX_LATENESS: Final = timedelta(seconds=15)  # another worker takes over a lost one's tick in 11 s
MAX_RUNS_PER_TICK: Final = MAX_NEWEST - 1  # all jobs of a tick are inserted in one transaction

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When the ticks of a cron are planned, and when they run."""

    schedule: Schedule
    excluded: ExcludedDays = NO_DAYS
    """The days on which it does not run."""
    own_exclusions: ExcludedDays = NO_DAYS
    """Those of them that are not from a calendar. The next tick is planned without the days of a
    calendar, because admins may change them before it is due."""
    end_at: datetime | None = None
    cron_id: str = ""
    jitter_ms: int = 0
    window: timedelta | None = None
    """Ticks that are later than this are missed."""

    @classmethod
    def of(cls, cron: Cron, excluded: ExcludedDays = NO_DAYS) -> "Timetable":
        return cls(
            schedule=cron.schedule,
            excluded=excluded.with_skipped(cron.skipped_times),
            own_exclusions=ExcludedDays.of(cron.exclusions).with_skipped(cron.skipped_times),
            end_at=cron.end_at,
            cron_id=cron.id,
            jitter_ms=cron.jitter_ms,
            window=None
            if cron.catch_up_window_ms is None
            else cron.catch_up_window_ms * MILLISECOND,
        )

    def before_end(self, now: datetime) -> datetime:
        """Return now, or the last instant before the end of the schedule, if that is earlier."""
        return now if self.end_at is None else min(now, self.end_at - MILLISECOND)

    def may_have_many(self, after: datetime, until: datetime) -> bool:
        """Return whether counting the ticks of a period may take more than milliseconds."""
        return ticks_per_day(self.schedule) * ((until - after) / DAY + 1) > MAX_WALKED

    def next_tick(self, after: datetime) -> datetime:
        """Return the first tick later than `after` that the cron itself does not exclude."""
        return next_runnable(self.schedule, after, self.own_exclusions)

    def first_tick_fields(self, now: datetime, start_at: datetime | None = None) -> dict[str, Any]:
        """Return the fields for the first tick later than `now` and not before `start_at`.

        Ticks before `start_at` count as decided; excluded ticks between it and the returned one do
        not.
        """
        decided_until = self.last_decided_before(first_run(self.schedule, now, start_at))
        return next_tick_fields(self.next_tick(decided_until), decided_until)

    def last_decided_before(self, tick: datetime) -> datetime:
        """Return the time just before a tick; of an interval, in its phase."""
        if isinstance(self.schedule, IntervalSchedule):
            return tick - timedelta(milliseconds=self.schedule.ms)
        return tick - MILLISECOND

    def start_of(self, tick: datetime) -> datetime:
        """Return when a tick runs: after a random delay, which is the same at each call.

        It runs before the next tick and before the end of the schedule, so that delayed ticks do
        not overlap.
        """
        if not self.jitter_ms:
            return tick
        return with_jitter(self.cron_id, tick, self.longest_delay_ms(tick))

    def longest_delay_ms(self, tick: datetime, following: datetime | None = None) -> int:
        """Return how long a tick is delayed at most: it runs before the tick after it.

        `following` is that tick, excluded or not, if it is known.
        """
        room = (following or next_runnable(self.schedule, tick, NO_DAYS)) - tick
        if self.end_at is not None:
            room = min(room, self.end_at - tick)
        return min(self.jitter_ms, max(room // MILLISECOND - 1, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """The due ticks to run and those that do not run, and the tick after them."""

    missed: TickRange | None
    """The older ticks, which do not run."""
    runs: tuple[datetime, ...]
    """The ticks to run now, oldest first."""
    too_old: TickRange | None = None
    """The ticks before the catch-up window, which do not run either."""
    unrunnable: tuple[LedgerEntry, ...] = ()
    """The records of ticks on excluded days, and at times that the clocks skipped."""
    next_run: datetime
    """The first undecided tick; it may be at or after the schedule's end."""
    decided_until: datetime
    """The last planned tick that is decided, whether it runs or not."""

    @property
    def has_ticks(self) -> bool:
        """Whether any tick was due."""
        return bool(self.runs or self.missed or self.too_old or self.unrunnable)

    @property
    def skipped(self) -> int:
        """The number of ticks that could have run and do not."""
        return self.missed.count if self.missed else 0


def decide_ticks(
    table: Timetable, after: datetime, now: datetime, policy: CatchUpPolicy
) -> TickDecision:
    """Decide which ticks run, of those later than `after`, the last one decided, to `now`.

    `skip` runs the newest if it is at most MAX_LATENESS late, `latest` the newest, `all` the newest
    500. Ticks before the catch-up window do not run. A tick whose random delay has not passed is
    not due.
    """
    old = too_old_ticks(table, after, now)
    passed = due_ticks(table, old.reached, now)
    if policy is CatchUpPolicy.ALL:
        runs = passed.newest[-MAX_RUNS_PER_TICK:]
    elif policy is CatchUpPolicy.LATEST:
        runs = passed.newest[-1:]
    elif policy is CatchUpPolicy.SKIP:
        runs = tuple(tick for tick in passed.newest[-1:] if is_on_time(table, tick, now))
    else:
        assert_never(policy)
    return TickDecision(
        missed=passed.without_newest(len(runs)),
        runs=runs,
        too_old=old.runnable,
        unrunnable=(*unrunnable_entries(old), *unrunnable_entries(passed)),
        next_run=table.next_tick(passed.reached),
        decided_until=passed.reached,
    )


def too_old_ticks(table: Timetable, after: datetime, now: datetime) -> PassedTicks:
    """Return the planned ticks later than `after` that are before the catch-up window."""
    if table.window is None:
        return PassedTicks(runnable=None, newest=(), reached=after)
    oldest = now - table.window - table.jitter_ms * MILLISECOND
    return passed_ticks(
        table.schedule, after, table.before_end(oldest - MILLISECOND), table.excluded
    )


def due_ticks(table: Timetable, after: datetime, now: datetime) -> PassedTicks:
    """Return the planned ticks later than `after` that are due, with their delays."""
    until = table.before_end(now)
    passed = passed_ticks(table.schedule, after, until, table.excluded)
    if passed.newest and table.start_of(passed.newest[-1]) > now:
        until = passed.newest[-1] - MILLISECOND
        passed = passed_ticks(table.schedule, after, until, table.excluded)
    return passed


def dropped_entries(
    table: Timetable, passed: PassedTicks, now: datetime, recent: tuple[TickOutcome, TickReason]
) -> list[LedgerEntry]:
    """Build the records of passed ticks that will never run.

    Those that could still have run on time get the outcome and reason `recent`; no worker has run
    the others in time.
    """
    on_time = [tick for tick in passed.newest if is_on_time(table, tick, now)]
    late = passed.without_newest(len(on_time))
    missed = [] if late is None else [range_entry(late, TickOutcome.MISSED, TickReason.DOWNTIME)]
    dropped = TickRange(len(on_time), on_time[0], on_time[-1]) if on_time else None
    recently = [] if dropped is None else [range_entry(dropped, *recent)]
    return [*unrunnable_entries(passed), *missed, *recently]


def unrunnable_entries(passed: PassedTicks) -> tuple[LedgerEntry, ...]:
    """Build the records of planned ticks that could not have run."""
    kinds = (
        (passed.excluded, TickReason.EXCLUDED),
        (passed.not_existing, TickReason.CLOCK_CHANGE),
    )
    return tuple(
        range_entry(ticks, TickOutcome.SKIPPED, reason)
        for ticks, reason in kinds
        if ticks is not None
    )


def range_entry(ticks: TickRange, outcome: TickOutcome, reason: TickReason) -> LedgerEntry:
    """Build the record of several ticks with one outcome."""
    return LedgerEntry(
        outcome=outcome, first=ticks.first, last=ticks.last, count=ticks.count, reason=reason
    )


def is_on_time(table: Timetable, tick: datetime, now: datetime) -> bool:
    """Return whether a tick counts as punctual if it runs now."""
    return now - table.start_of(tick) <= MAX_LATENESS


def last_decided(cron: Cron, undecided: object) -> datetime:
    """Return the time of the last planned tick that is decided; of an interval, in its phase.

    `undecided` is that field of the cron's document: {after, before}. It counts only if it belongs
    to the cron's next tick, so that who changes `nextRunTime` need not know of it.
    """
    if isinstance(undecided, Mapping) and undecided.get("before") == cron.next_run_time:
        after = undecided.get("after")
        if isinstance(after, datetime):
            return after
    if isinstance(cron.schedule, IntervalSchedule):
        return cron.next_run_time - timedelta(milliseconds=cron.schedule.ms)
    return cron.next_run_time - MILLISECOND


def next_tick_fields(next_run: datetime, decided_until: datetime) -> dict[str, Any]:
    """Build the fields of a cron's document for its next tick."""
    return {
        "nextRunTime": next_run,
        "undecided": {"after": decided_until, "before": next_run},
    }
