"""Keyset paging as plain values: where a page starts, which way it is read, how long it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ostinato.jobs.filters import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of one document in an ordered list; it stays a place when the document goes."""

    id: str
    instant: datetime | None = None
    """The time that the list is ordered by, before the id; None where the id alone orders it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of an ordered list to read. Both ends are exclusive."""

    limit: int
    backward: bool = False
    """Whether to take the last `limit` documents of the range instead of the first."""
    after: Place | None = None
    before: Place | None = None


def cut(found: Sequence[T], window: Window) -> Page[T]:
    """Make the page of what was read: up to `limit + 1` items in the direction of reading.

    The item past the limit only tells that there are more; the page is in the list's order.
    """
    more = len(found) > window.limit
    items = tuple(found[: window.limit])
    if window.backward:
        return Page(items=items[::-1], has_next=window.before is not None, has_previous=more)
    return Page(items=items, has_next=more, has_previous=window.after is not None)
