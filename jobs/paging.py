"""Keyset pagination: pages, and the position, direction and size of one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePosition:
    """The sort key of a document in a list; it stays valid after the document is deleted."""

    id: str
    instant: datetime | None = None
    """The primary sort key of the list; None if it is sorted by id only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of an ordered list to read, and of its documents; both ends are exclusive."""

    limit: int
    backward: bool = False
    """Whether to take the last `limit` documents of the range instead of the first."""
    after: PagePosition | None = None
    before: PagePosition | None = None
    unread: frozenset[str] = frozenset()
    """Large fields that are not read: `args`, `data`, `result`, `timeline`. Records have them
    empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCount:
    """The number of documents of a list."""

    count: int
    is_exact: bool
    """False if there are more: counting ended at its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A slice of a list, in the requested order."""

    items: tuple[T, ...]
    has_next: bool
    has_previous: bool
    count: "Callable[[], Awaitable[ListCount]] | None" = field(
        default=None, compare=False, repr=False
    )
    """Count the whole list, including malformed documents; None if it cannot be counted."""

    async def total(self) -> ListCount | None:
        """Count the whole list, at least what the page tells; None if it cannot be counted."""
        if self.count is None:
            return None
        if not (self.has_next or self.has_previous):
            return ListCount(count=len(self.items), is_exact=True)
        counted = await self.count()
        return replace(counted, count=max(counted.count, len(self.items)))


def build_page(found: Sequence[T], window: Window) -> Page[T]:
    """Build the page from at most `limit + 1` items in reading direction.

    The extra item only indicates a further page; the result is in list order.
    """
    has_more = len(found) > window.limit
    items = tuple(found[: window.limit])
    if window.backward:
        return Page(items=items[::-1], has_next=window.before is not None, has_previous=has_more)
    return Page(items=items, has_next=has_more, has_previous=window.after is not None)
