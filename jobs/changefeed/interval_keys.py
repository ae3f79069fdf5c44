"""Index keys for time windows: the windows that contain an instant are found by key lookup.

Time is divided into intervals of `SIZES` sizes, each twice the previous one. A window is a union of
a few intervals; an instant lies in one interval per size. This is a segment tree.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TypeAlias

from ostinato.jobs.changes import DocumentChange, MatchState, WriteType
from ostinato.jobs.filters import JobFilter

SMALLEST_S: Final = 60  # the resolution of the index; matching is exact
SIZES: Final = 27  # the largest interval covers ALL_TIME
ALL_TIME: Final = 2 ** (SIZES - 1)  # in units of SMALLEST_S: up to the year 2097
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Interval: TypeAlias = tuple[int, int]
"""The size, as an exponent of two, and the index of the interval within its size."""

IntervalKey: TypeAlias = str | Interval | None
"""A secondary index key; None for filters with neither a window nor states."""


def interval_keys_of(job_filter: JobFilter | None) -> Iterator[IntervalKey]:
    """Return the keys of a filter, at least one: for its window, otherwise for its states."""
    if job_filter is not None and job_filter.has_window:
        intervals = tuple(_intervals_of(job_filter.scheduled_from, job_filter.scheduled_to))
        yield from intervals or (None,)  # a window that ends before it starts has no intervals
    elif job_filter is not None and job_filter.states is not None:
        yield from frozenset(job_filter.states) or (None,)
    else:
        yield None


def interval_keys_in(
    change: DocumentChange, *, with_intervals: bool
) -> Iterator[IntervalKey] | None:
    """Return the keys of all filters that may match a change; None if any filter may match."""
    after, before = change.state_after, change.state_before or change.state_after
    if change.type is WriteType.DELETED or after is None or before is None:
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
    """Return the number of the smallest interval that contains an instant, clamped to ALL_TIME."""
    number = (instant - EPOCH).total_seconds() // SMALLEST_S
    return int(min(max(number, 0), ALL_TIME - 1))
