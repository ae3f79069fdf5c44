"""Computes the ticks of a schedule, and validates schedules from clients. No I/O, no clock."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from ostinato.jobs.cronspec import cronspec_problem, parse_cronspec
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.lifecycle import MAX_DELAY_MS
from ostinato.jobs.planned_ticks import planned_ticks
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from ostinato.jobs.zone_names import zone_problem

MIN_INTERVAL_MS: Final = 1_000
MAX_INTERVAL_MS: Final = MAX_DELAY_MS


def parse_schedule(
    interval_ms: int | None,
    cronspec: str | None,
    tz: str = "UTC",
    on_gap: GapPolicy = GapPolicy.NEXT,
    on_fold: FoldPolicy = FoldPolicy.FIRST,
) -> Schedule:
    """Build a schedule from a client's input; raises BadRequest with every issue, by field."""
    issues = list(_issues(interval_ms, cronspec, tz))
    if issues:
        raise BadRequest(issues[0].message, issues)
    if cronspec is None:
        assert interval_ms is not None
        return IntervalSchedule(ms=interval_ms, tz=tz)
    return CronSchedule(cronspec=cronspec.strip(), tz=tz, on_gap=on_gap, on_fold=on_fold)


def next_run(schedule: Schedule, after: datetime) -> datetime:
    """Compute the first tick later than `after`; an interval counts from `after`.

    Like all functions of this module, it knows no exclusions: see `planned_ticks`.
    """
    if isinstance(schedule, IntervalSchedule):
        return after + timedelta(milliseconds=schedule.ms)
    return _next_cron_run(schedule, after)


@lru_cache(maxsize=16_384)
def _next_cron_run(schedule: CronSchedule, after: datetime) -> datetime:
    """Compute the first tick of a cronspec; takes up to 5 ms for rare dates."""
    for due in ticks(schedule, after):
        return due
    raise ValueError(f"there is no tick after {after}")


def ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield all ticks later than `after`, in order."""
    return (tick.due for tick in planned_ticks(schedule, after) if tick.runs)


def first_run(schedule: Schedule, now: datetime, start_at: datetime | None = None) -> datetime:
    """Compute the first tick later than `now` and not before `start_at`.

    With `start_at`, the ticks of an interval are start_at + n·interval.
    """
    if start_at is None:
        return next_run(schedule, now)
    if isinstance(schedule, CronSchedule):
        return next_run(schedule, max(now, start_at - timedelta(milliseconds=1)))
    if start_at > now:
        return start_at
    interval = timedelta(milliseconds=schedule.ms)
    return start_at + ((now - start_at) // interval + 1) * interval


def ticks_per_minute(schedule: Schedule) -> float:
    """Return how often a schedule ticks in its busiest minute."""
    if isinstance(schedule, IntervalSchedule):
        return 60_000 / schedule.ms
    return len(parse_cronspec(schedule.cronspec).seconds)


def ticks_per_day(schedule: Schedule) -> float:
    """Return how often a schedule ticks in its busiest day without a change of the clocks."""
    if isinstance(schedule, IntervalSchedule):
        return 86_400_000 / schedule.ms
    spec = parse_cronspec(schedule.cronspec)
    return len(spec.hours) * len(spec.minutes) * len(spec.seconds)


def with_jitter(cron_id: str, due: datetime, jitter_ms: int) -> datetime:
    """Delay the run of a tick by 0 to `jitter_ms`, deterministic for a tick."""
    digest = hashlib.blake2b(f"{cron_id}/{due.isoformat()}".encode(), digest_size=8).digest()
    return due + timedelta(milliseconds=int.from_bytes(digest) % (jitter_ms + 1))


def _issues(interval_ms: int | None, cronspec: str | None, tz: str) -> Iterator[Issue]:
    if (interval_ms is None) == (cronspec is None):
        code = "required" if cronspec is None else "exclusive"
        message = (
            "Either intervalMs or cronspec required"
            if cronspec is None
            else "intervalMs and cronspec are mutually exclusive: pass one of them"
        )
        yield Issue(path=("intervalMs",), message=message, code=code)
        yield Issue(path=("cronspec",), message=message, code=code)
    if interval_ms is not None:
        yield from _interval_issues(interval_ms)
    if cronspec is not None and (problem := cronspec_problem(cronspec)):
        yield Issue(path=("cronspec",), message=problem, code="invalid_cronspec")
    if problem := zone_problem(tz):
        yield Issue(path=("tz",), message=problem, code="invalid_time_zone")


def _interval_issues(ms: int) -> Iterator[Issue]:
    if not MIN_INTERVAL_MS <= ms <= MAX_INTERVAL_MS:
        allowed = f"{MIN_INTERVAL_MS} (a second) to {MAX_INTERVAL_MS} (5 years)"
        message = f"intervalMs is {ms}; it must be {allowed}"
        code = "too_small" if ms < MIN_INTERVAL_MS else "too_big"
        yield Issue(path=("intervalMs",), message=message, code=code)
