"""Computes the ticks of a schedule: intervals, cronspecs, daylight saving. No I/O, no clock.

**Daylight saving.** A cronspec is in local time, by the rule of Debian's cron(8). A job that runs
at a specific time, or less often than hourly, runs once per matching local time: for a skipped one,
at the first instant after the gap; for a repeated one, the first time only. A job whose hour field
covers every hour follows elapsed time: it runs in both passes of a repeated hour and not at all in
a skipped one. See cron(8) of vixie-cron 3.0pl1 (Debian).
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from ostinato.jobs.cronspec import Cronspec, cronspec_problem, parse_cronspec
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.lifecycle import MAX_DELAY_MS
from ostinato.jobs.nearest import nearest
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule

MIN_INTERVAL_MS: Final = 1_000
MAX_INTERVAL_MS: Final = MAX_DELAY_MS

_SECOND: Final = timedelta(seconds=1)


def parse_schedule(interval_ms: int | None, cronspec: str | None, tz: str = "UTC") -> Schedule:
    """Build a schedule from a client's input; raises BadRequest with every issue, by field."""
    issues = list(_issues(interval_ms, cronspec, tz))
    if issues:
        raise BadRequest(issues[0].message, issues)
    if cronspec is None:
        assert interval_ms is not None
        return IntervalSchedule(ms=interval_ms)
    return CronSchedule(cronspec=cronspec.strip(), tz=tz)


def next_run(schedule: Schedule, after: datetime) -> datetime:
    """Compute the first tick later than `after`; an interval counts from `after`."""
    if isinstance(schedule, IntervalSchedule):
        return after + timedelta(milliseconds=schedule.ms)
    return _next_cron_run(schedule.cronspec, schedule.tz, after)


@lru_cache(maxsize=16_384)
def _next_cron_run(cronspec: str, tz: str, after: datetime) -> datetime:
    """Compute the first tick of a cronspec; takes up to 5 ms for rare dates."""
    spec, zone = parse_cronspec(cronspec), _zone(tz)
    return (
        _next_elapsed(spec, zone, after)
        if spec.matches_every_hour
        else _next_named(spec, zone, after)
    )


def ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield all ticks later than `after`, in order; infinite."""
    while True:
        after = next_run(schedule, after)
        yield after


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
    return parse_cronspec(schedule.cronspec).seconds


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
    if tz not in _zone_names():
        near = nearest(tz, _zone_names()) or "Europe/Berlin"
        message = f"unknown time zone {tz[:64]!r}: use an IANA name such as {near!r}"
        yield Issue(path=("tz",), message=message, code="invalid_time_zone")


def _interval_issues(ms: int) -> Iterator[Issue]:
    if ms < MIN_INTERVAL_MS:
        message = f"intervalMs is {ms}; it must be at least {MIN_INTERVAL_MS}"
        yield Issue(path=("intervalMs",), message=message, code="too_small")
    if ms > MAX_INTERVAL_MS:
        message = f"intervalMs is {ms}; it must be at most {MAX_INTERVAL_MS} (5 years)"
        yield Issue(path=("intervalMs",), message=message, code="too_big")


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _next_elapsed(spec: Cronspec, zone: ZoneInfo, after: datetime) -> datetime:
    local = _wall(after, zone)
    wall = spec.next_after(local)
    while (change := _gap(wall, zone)) is not None:
        wall = spec.next_after(_wall(change, zone) - _SECOND)
    instant = _instant(wall, zone, fold=0)
    found = instant if instant > after else _instant(wall, zone, fold=1)
    repeated = _repeated(local, zone)
    if not repeated or local.fold == 1:
        return found
    second_pass = _wall(_change(zone, after, after + repeated), zone)
    return min(found, _instant(spec.next_after(second_pass - _SECOND), zone, fold=1))


def _next_named(spec: Cronspec, zone: ZoneInfo, after: datetime) -> datetime:
    local = _wall(after, zone)
    if local.fold == 1:
        repeated = _repeated(local, zone)
        second_pass = _wall(_change(zone, after - repeated, after), zone)
        local = second_pass + repeated - _SECOND
    wall = spec.next_after(local)
    return _gap(wall, zone) or _instant(wall, zone, fold=0)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return local time: naive, with `fold` 1 in the second pass of a repeated time."""
    return instant.astimezone(zone).replace(tzinfo=None)


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _repeated(wall: datetime, zone: ZoneInfo) -> timedelta:
    """Return how far clocks are set back at `wall`; zero if they are not."""
    return max(_instant(wall, zone, 1) - _instant(wall, zone, 0), timedelta(0))


def _gap(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant at which clocks skip `wall`; None if they do not."""
    late, early = _instant(wall, zone, 0), _instant(wall, zone, 1)
    return _change(zone, early, late) if early < late else None


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Find the second in (low, high] at which the offset changes."""
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    before = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
