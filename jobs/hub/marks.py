"""Cuts time into pieces, so that the windows around an instant are looked up, not looked through.

A window is made of few pieces of all sizes, each twice as long as the next smaller one, and an
instant lies in one of each size. Source: the segment tree.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TypeAlias

from ostinato.jobs.changes import Change, ChangeType, Standing
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState

PIECE_S: Final = 60  # the smallest: what lies within is judged one by one
SIZES: Final = 27  # the largest is as long as all time
ALL_TIME: Final = 2 ** (SIZES - 1)  # in smallest pieces: to the year 2097
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Piece: TypeAlias = tuple[int, int]
"""Its size, as a power of two, and its number among those of that size."""

Mark: TypeAlias = JobState | Piece | None
"""What tells filters apart that seek the same; None where nothing does."""


def marks_of(wanted: JobFilter | None) -> Iterator[Mark]:
    """Say by which marks a filter is found, at least one: of its window, else of its states."""
    if wanted is not None and wanted.has_window:
        pieces = tuple(_pieces_of(wanted.scheduled_from, wanted.scheduled_to))
        yield from pieces or (None,)  # a window that ends before it starts has no pieces
    elif wanted is not None and wanted.states is not None:
        yield from frozenset(wanted.states) or (None,)
    else:
        yield None


def marks_in(change: Change, *, with_pieces: bool) -> Iterator[Mark] | None:
    """Find the marks of all filters that a change of a job may concern; None if any may be."""
    after, before = change.after, change.before or change.after
    if change.type is ChangeType.DELETED or after is None or before is None:
        return None
    if with_pieces and (after.due is None or before.due is None):
        return None
    return _marks_between(before, after, with_pieces=with_pieces)


def _marks_between(before: Standing, after: Standing, *, with_pieces: bool) -> Iterator[Mark]:
    yield None
    yield from {before.state, after.state}
    if with_pieces:
        for number in {_number_of(each.due) for each in (before, after) if each.due is not None}:
            yield from ((size, number >> size) for size in range(SIZES))


def _pieces_of(start_at: datetime | None, end_at: datetime | None) -> Iterator[Piece]:
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
    """Return the number of the smallest piece it lies in; what is out of all time, at its end."""
    number = (instant - EPOCH).total_seconds() // PIECE_S
    return int(min(max(number, 0), ALL_TIME - 1))
