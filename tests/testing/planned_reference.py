"""The planned ticks of a cronspec, computed by looking at every local day; a second opinion."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.jobs.schedule_reference import Reference, matches_day

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)


def planned(spec: str, tz: str, after: datetime, until: datetime) -> list[datetime]:
    """Return the ticks in (after, until], also one for the times that each gap of the clocks skips.

    If the minute or the hour begins with `*`, the cron follows the wall clock: it runs in both
    passes of a repeated hour, and the tick of a gap does not run; it is a millisecond before.
    Otherwise, a skipped time runs after the gap, and a repeated one in the first pass.
    """
    zone, reference = ZoneInfo(tz), Reference(spec)
    days = ((until - after) // DAY) + 3
    first = (after.astimezone(zone) - DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    found = {
        tick
        for n in range(days + 1)
        for local in _matching_times(reference, first.replace(tzinfo=None) + n * DAY)
        for tick in _instants(local, zone, reference.wild)
    }
    return sorted(tick for tick in found if after < tick <= until)


def _matching_times(reference: Reference, day: datetime) -> Iterator[datetime]:
    if matches_day(*reference.fields[3:], day.date()):
        yield from filter(reference.matches, (day + n * MINUTE for n in range(24 * 60)))


def _instants(local: datetime, zone: ZoneInfo, follows_wall_clock: bool) -> Iterator[datetime]:
    passes = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if passes[0] > passes[1]:  # the clocks skip it
        change = _change(zone, passes[1], passes[0])
        yield change - MILLISECOND if follows_wall_clock else change
    elif follows_wall_clock:
        yield from passes
    else:
        yield passes[0]


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first minute with another offset."""
    before = low.astimezone(zone).utcoffset()
    while low.astimezone(zone).utcoffset() == before and low <= high:
        low += timedelta(minutes=1)
    return low
