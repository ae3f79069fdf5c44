"""Local time: when the clocks of a time zone change, and the offset between two changes. No I/O."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_SECOND: Final = timedelta(seconds=1)
_QUARTER: Final = timedelta(minutes=15)  # nearly all clocks change at a quarter of an hour
_STEP: Final = timedelta(days=6)  # since 1970, all changes of a zone are 6.9 days or more apart
_WINDOW: Final = timedelta(days=8)  # ticks of rare dates need the changes of few days only
_MARGIN: Final = timedelta(days=2)  # more than any change of the clocks
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(NamedTuple):
    """A time in which the offset of a zone is constant, with the offsets around it.

    It ends when the clocks change, or after some days; the offset is then the same on both sides.
    """

    start: datetime
    """Inclusive."""
    end: datetime
    """Exclusive."""
    offset: timedelta
    before: timedelta
    after: timedelta

    @property
    def is_plain(self) -> bool:
        """Whether no clocks change at its start or end."""
        return self.before == self.offset == self.after

    @property
    def first_wall(self) -> datetime:
        """The local time at its start, naive."""
        return self.start.replace(tzinfo=None) + self.offset

    @property
    def last_wall(self) -> datetime:
        """The local time at its end, exclusive, naive."""
        return self.end.replace(tzinfo=None) + self.offset

    @property
    def reached_wall(self) -> datetime:
        """The local time that the clocks had reached just before its start, naive."""
        return self.start.replace(tzinfo=None) + self.before

    @property
    def next_wall(self) -> datetime:
        """The local time at the start of the following period, naive."""
        return self.end.replace(tzinfo=None) + self.after


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def wall_time(instant: datetime, tz: str) -> datetime:
    """Return local time: naive, with `fold` 1 in the second pass of a repeated time."""
    return instant.astimezone(zone_of(tz)).replace(tzinfo=None)


def period_of(tz: str, instant: datetime) -> Period:
    """Return the period that contains an instant."""
    periods = _periods(tz, (instant - _EPOCH) // _WINDOW)
    if len(periods) == 1:
        return periods[0]
    return next(each for each in periods if instant < each.end)


@lru_cache(maxsize=16_384)
def _periods(tz: str, window: int) -> tuple[Period, ...]:
    """Return the periods of a window.

    The first and the last extend to a change that is at most a margin away from the window, so
    that no repeated time crosses the edge between two windows.
    """
    zone, start = zone_of(tz), _EPOCH + window * _WINDOW
    end = start + _WINDOW
    offset = _offset(zone, start - _MARGIN)
    changes = _changes(zone, start - _MARGIN, end + _MARGIN, offset)
    if not changes:
        return (Period(start, end, offset, offset, offset),)
    first = max((each for each in changes if each <= start), default=start)
    last = min((each for each in changes if each >= end), default=end)
    edges = [first, *(each for each in changes if first < each < last), last]
    offsets = [_offset(zone, edge) for edge in edges]
    return tuple(
        Period(start, end, offset, _offset(zone, start - _SECOND), after)
        for (start, end), (offset, after) in zip(pairwise(edges), pairwise(offsets), strict=True)
    )


def _changes(zone: ZoneInfo, start: datetime, end: datetime, known: timedelta) -> list[datetime]:
    """Find the changes in (start, end], which are more than a step apart.

    `known` is the offset at the start.
    """
    found = []
    for number in range(1, (end - start) // _STEP + 1):
        instant = start + number * _STEP
        offset = _offset(zone, instant)
        if offset != known:
            found.append(_change(zone, instant - _STEP, instant))
            known = offset
    return found


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Find the second in (low, high] at which the offset changes."""
    low, high = _narrowed(zone, low, high, _QUARTER)
    if _offset(zone, high - _SECOND) != _offset(zone, high):
        return high
    return _narrowed(zone, low, high, _SECOND)[1]


def _narrowed(
    zone: ZoneInfo, low: datetime, high: datetime, unit: timedelta
) -> tuple[datetime, datetime]:
    """Narrow the range in which the offset changes to one unit."""
    before = _offset(zone, low)
    while high - low > unit:
        middle = low + (high - low) // unit // 2 * unit
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return low, high


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
