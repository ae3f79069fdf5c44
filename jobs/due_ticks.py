"""Decides what becomes of a schedule's due ticks, by its catch-up policy. No I/O."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Final, assert_never

from ostinato.jobs.cron_ledger import LedgerEntry, TickOutcome, TickReason, entries_of
from ostinato.jobs.records import CatchUpPolicy, IntervalSchedule, Schedule
from ostinato.jobs.schedules import next_run, ticks

MAX_LATENESS: Final = timedelta(seconds=15)  # another worker takes over a lost one's tick in 11 s
MAX_RUNS_PER_TICK: Final = 500  # all jobs of a tick are inserted in one transaction
MAX_COUNTED_TICKS: Final = 10_000  # for cronspecs: one week of minutes takes 0.3 s to count


MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedTicks:
    """The ticks of a schedule in a period that has passed."""

    count: int
    first: datetime
    newest: tuple[datetime, ...]
    """Oldest first: all of them, or MAX_RUNS_PER_TICK + 1."""

    def older_than(self, newest: int) -> "PassedTicks | None":
        """Return the ticks without the `newest` ones; None if none are left."""
        if self.count <= newest:
            return None
        left = self.newest[: len(self.newest) - newest]
        return PassedTicks(count=self.count - newest, first=self.first, newest=left)

    def entry(self, outcome: TickOutcome, reason: TickReason) -> LedgerEntry:
        """Build the record of ticks with one outcome."""
        return LedgerEntry(
            outcome=outcome,
            first=self.first,
            last=self.newest[-1],
            count=self.count,
            reason=reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """The due ticks to run and those that were missed, and the tick after them."""

    missed: PassedTicks | None
    """The older ticks, which do not run."""
    runs: tuple[datetime, ...]
    """The ticks to run now, oldest first."""
    next_run: datetime
    """The first tick after the current time, or not before the schedule's end."""

    @property
    def skipped(self) -> int:
        """The number of ticks that do not run."""
        return self.missed.count if self.missed else 0


def decide_ticks(
    schedule: Schedule,
    due: datetime,
    now: datetime,
    policy: CatchUpPolicy,
    end_at: datetime | None = None,
) -> TickDecision:
    """Decide which ticks run, from `due` (the oldest not yet run) to `now`, and before `end_at`.

    `skip` runs the newest if it is at most MAX_LATENESS late, `latest` the newest, `all` the newest
    500. For a cronspec, at most 10,000 ticks are counted.
    """
    until = before_end(now, end_at)
    passed = passed_ticks(schedule, due, until)
    if policy is CatchUpPolicy.ALL:
        runs = passed.newest[-MAX_RUNS_PER_TICK:]
    elif policy is CatchUpPolicy.LATEST:
        runs = passed.newest[-1:]
    elif policy is CatchUpPolicy.SKIP:
        runs = tuple(tick for tick in passed.newest[-1:] if is_on_time(tick, now))
    else:
        assert_never(policy)
    following = next_run(
        schedule, passed.newest[-1] if isinstance(schedule, IntervalSchedule) else until
    )
    return TickDecision(missed=passed.older_than(len(runs)), runs=runs, next_run=following)


def dropped_entries(
    passed: PassedTicks, now: datetime, recent: tuple[TickOutcome, TickReason]
) -> list[LedgerEntry]:
    """Build the records of due ticks that will never run.

    Those that could still have run on time get the outcome and reason `recent`; no worker has run
    the others in time.
    """
    on_time = [tick for tick in passed.newest if is_on_time(tick, now)]
    late = passed.older_than(len(on_time))
    missed = [] if late is None else [late.entry(TickOutcome.MISSED, TickReason.DOWNTIME)]
    return [*missed, *entries_of(on_time, *recent)]


def before_end(now: datetime, end_at: datetime | None) -> datetime:
    """Return now, or the last instant before the end of the schedule, if that is earlier."""
    return now if end_at is None else min(now, end_at - MILLISECOND)


def is_on_time(tick: datetime, now: datetime) -> bool:
    """Return whether a tick counts as punctual if it runs now."""
    return now - tick <= MAX_LATENESS


def passed_ticks(schedule: Schedule, due: datetime, until: datetime) -> PassedTicks:
    """Return the ticks from `due`, which is the first, to `until`, inclusive."""
    if isinstance(schedule, IntervalSchedule):
        interval = timedelta(milliseconds=schedule.ms)
        count = (until - due) // interval + 1
        first = max(0, count - MAX_RUNS_PER_TICK - 1)
        newest = tuple(due + n * interval for n in range(first, count))
        return PassedTicks(count=count, first=due, newest=newest)
    later = takewhile(lambda tick: tick <= until, ticks(schedule, due))
    found = list(chain([due], islice(later, MAX_COUNTED_TICKS - 1)))
    kept = deque(found, MAX_RUNS_PER_TICK + 1)
    return PassedTicks(count=len(found), first=due, newest=tuple(kept))
