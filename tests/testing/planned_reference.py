"""The planned ticks of a cronspec, computed by looking at every local day; a second opinion."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from tests.jobs.schedule_reference import Reference, matches_day

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2000, 1, 1)  # noqa: DTZ001 (local time)
MILLISECOND = timedelta(milliseconds=1)


def planned(
    spec: str,
    tz: str,
    after: datetime,
    until: datetime,
    policies: tuple[GapPolicy, FoldPolicy] = (GapPolicy.NEXT, FoldPolicy.FIRST),
) -> list[datetime]:
    """Return the ticks in (after, until], also one for the times that each gap of the clocks skips.

    If the minute or the hour begins with `*`, the cron follows the wall clock: it runs in both
    passes of a repeated hour, and the tick of a gap does not run; it is a millisecond before.
    Otherwise, the policies decide.
    """
    zone, reference = ZoneInfo(tz), Reference(spec)
    if reference.wild:
        policies = (GapPolicy.SKIP, FoldPolicy.BOTH)
    days = ((until - after) // DAY) + 3
    first = (after.astimezone(zone) - DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    found = {
        tick
        for n in range(days + 1)
        for local in _matching_times(reference, first.replace(tzinfo=None) + n * DAY)
        for tick in _instants(local, zone, *policies)
    }
    return sorted(tick for tick in found if after < tick <= until)


def _matching_times(reference: Reference, day: datetime) -> Iterator[datetime]:
    if matches_day(*reference.fields[3:], day.date()):
        for time in _times_of_day(*reference.fields[1:3]):
            yield day + time


@cache
def _times_of_day(minute: str, hour: str) -> list[timedelta]:
    every_day = Reference(f"{minute} {hour} * * *")
    times = [n * MINUTE for n in range(24 * 60)]
    return [time for time in times if every_day.matches(MIDNIGHT + time)]


def _instants(
    local: datetime, zone: ZoneInfo, on_gap: GapPolicy, on_fold: FoldPolicy
) -> Iterator[datetime]:
    passes = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if passes[0] > passes[1]:  # the clocks skip it
        change = _change(zone, passes[1], passes[0])
        yield change - MILLISECOND if on_gap is GapPolicy.SKIP else change
    elif on_fold is FoldPolicy.BOTH:
        yield from passes
    else:
        yield passes[on_fold is FoldPolicy.LAST]


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first minute with another offset."""
    before = low.astimezone(zone).utcoffset()
    while low.astimezone(zone).utcoffset() == before and low <= high:
        low += timedelta(minutes=1)
    return low
