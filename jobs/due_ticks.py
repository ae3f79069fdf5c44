"""Decides which due ticks of a schedule run, by its catch-up policy. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Final, assert_never

from ostinato.jobs.records import CatchUpPolicy, CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.schedules import next_run, ticks

MAX_LATENESS: Final = timedelta(seconds=15)  # another worker takes over a lost one's tick in 11 s
MAX_RUNS_PER_TICK: Final = 500  # all jobs of a tick are inserted in one transaction
MAX_COUNTED_TICKS: Final = 10_000  # for cronspecs: one week of minutes takes 0.3 s to count


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """The due ticks to run and to skip, and the tick after them."""

    runs: tuple[datetime, ...]
    """The ticks to run now, oldest first."""
    skipped: int
    """The number of ticks that are not run."""
    next_run: datetime
    """The first tick after the current time."""


def decide_ticks(
    schedule: Schedule, due: datetime, now: datetime, policy: CatchUpPolicy
) -> TickDecision:
    """Decide which ticks run, from `due` (the oldest not yet run) to `now`.

    `skip` runs the newest if it is at most MAX_LATENESS late, `latest` the newest, `all` the newest
    500. For a cronspec, at most 10,000 ticks are counted.
    """
    count, newest = _missed(schedule, due, now)
    if policy is CatchUpPolicy.ALL:
        runs = newest
    elif policy is CatchUpPolicy.LATEST:
        runs = newest[-1:]
    elif policy is CatchUpPolicy.SKIP:
        runs = tuple(tick for tick in newest[-1:] if now - tick <= MAX_LATENESS)
    else:
        assert_never(policy)
    following = next_run(schedule, newest[-1] if isinstance(schedule, IntervalSchedule) else now)
    return TickDecision(runs=runs, skipped=count - len(runs), next_run=following)


def _missed(schedule: Schedule, due: datetime, now: datetime) -> tuple[int, tuple[datetime, ...]]:
    """Return the number of ticks from `due` to `now`, and the newest of them, oldest first."""
    if isinstance(schedule, CronSchedule):
        later = takewhile(lambda tick: tick <= now, ticks(schedule, due))
        found = tuple(chain([due], islice(later, MAX_COUNTED_TICKS - 1)))
        return len(found), found[-MAX_RUNS_PER_TICK:]
    interval = timedelta(milliseconds=schedule.ms)
    count = (now - due) // interval + 1
    first = max(0, count - MAX_RUNS_PER_TICK)
    return count, tuple(due + n * interval for n in range(first, count))
