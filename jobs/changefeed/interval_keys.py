"""Index keys of time windows, so that the windows around an instant are looked up, not searched.

Time is cut into intervals of all sizes, each twice as long as the next smaller one. A window is
a few of them, and an instant lies in one of each size. Source: the segment tree.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TypeAlias

from ostinato.jobs.changes import ChangeType, DocumentChange, MatchState
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState

SMALLEST_S: Final = 60  # windows that differ by less are matched one by one
SIZES: Final = 27  # the largest interval is as long as all time
ALL_TIME: Final = 2 ** (SIZES - 1)  # in smallest intervals: to the year 2097
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Interval: TypeAlias = tuple[int, int]
"""Its size, as a power of two, and its number among those of that size."""

IntervalKey: TypeAlias = JobState | Interval | None
"""Tells filters with the same index key apart; None for those that ask for neither."""


def interval_keys_of(wanted: JobFilter | None) -> Iterator[IntervalKey]:
    """Return the keys of a filter, at least one: of its window, otherwise of its states."""
    if wanted is not None and wanted.has_window:
        intervals = tuple(_intervals_of(wanted.scheduled_from, wanted.scheduled_to))
        yield from intervals or (None,)  # a window that ends before it starts has no intervals
    elif wanted is not None and wanted.states is not None:
        yield from frozenset(wanted.states) or (None,)
    else:
        yield None


def interval_keys_in(
    change: DocumentChange, *, with_intervals: bool
) -> Iterator[IntervalKey] | None:
    """Return the keys of all filters that a change may match; None if any filter may."""
    after, before = change.state_after, change.state_before or change.state_after
    if change.type is ChangeType.DELETED or after is None or before is None:
        return None
    if with_intervals and (after.due is None or before.due is None):
        return None
    return _keys_between(before, after, with_intervals=with_intervals)


def _keys_between(
    before: MatchState, after: MatchState, *, with_intervals: bool
) -> Iterator[IntervalKey]:
    yield None
    yield from {before.state, after.state}
    if with_intervals:
        for number in {_number_of(each.due) for each in (before, after) if each.due is not None}:
            yield from ((size, number >> size) for size in range(SIZES))


def _intervals_of(start_at: datetime | None, end_at: datetime | None) -> Iterator[Interval]:
    start = 0 if start_at is None else _number_of(start_at)
    end = ALL_TIME if end_at is None else _number_of(end_at) + 1
    for size in range(SIZES):
        if start >= end:
            return
        if start & 1:
            yield size, start
            start += 1
        if end & 1:
            end -= 1
            yield size, end
        start, end = start >> 1, end >> 1


def _number_of(instant: datetime) -> int:
    """Return the number of its smallest interval, the last one if it is beyond all time."""
    number = (instant - EPOCH).total_seconds() // SMALLEST_S
    return int(min(max(number, 0), ALL_TIME - 1))
