"""Relay connections over keyset pages: arguments in, edges with cursors out."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Generic, Protocol, TypeVar

import strawberry

from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.filters import Page
from ostinato.jobs.ids import is_id
from ostinato.jobs.paging import Place, Window
from ostinato.schema.absent import present


class Identified(Protocol):
    """A record with a document id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T")
R = TypeVar("R")
Stored = TypeVar("Stored", bound=Identified)

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100
BY_ID: Final = "id"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

First = Annotated[
    int | None,
    strawberry.argument(
        description="How many from the start, 1 to 100. 20 if neither `first` nor `last` is given."
    ),
]
After = Annotated[
    str | None, strawberry.argument(description="Only what comes after this edge's `cursor`.")
]
Last = Annotated[
    int | None,
    strawberry.argument(description="How many from the end, 1 to 100. Not together with `first`."),
]
Before = Annotated[
    str | None, strawberry.argument(description="Only what comes before this edge's `cursor`.")
]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more after this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether there are more before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge, for `before`; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge, for `after`; null on an empty page."
    )


@strawberry.type(description="One object of a page, with its place in the list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The object's place in the list. Opaque.")
    node: T = strawberry.field(description="The object.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The objects with their cursors.")
    nodes: list[T] = strawberry.field(description="The objects alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands in the list.")


def write_cursor(order: str, place: Place) -> str:
    """Write a place in a list that is ordered by `order`."""
    instant = place.instant
    ms = "" if instant is None else str((instant - _EPOCH) // _MILLISECOND)
    return urlsafe_b64encode(f"{order}:{ms}:{place.id}".encode()).decode().rstrip("=")


def read_cursor(order: str, text: str) -> Place:
    """Read a cursor of a list in the same order; raises ValueError on anything else."""
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        found, ms, identifier = plain.split(":")
        instant = _EPOCH + int(ms) * _MILLISECOND if ms else None
    except (binascii.Error, ValueError, OverflowError) as error:
        raise ValueError("must be a cursor of this list") from error
    if found != order:
        raise ValueError("must be a cursor of this list in this order")
    if not is_id(identifier) or (instant is None) != (order == BY_ID):
        raise ValueError("must be a cursor of this list")
    return Place(id=identifier, instant=instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The paging arguments of a connection, as the client gave them."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def window(self, order: str = BY_ID) -> Window:
        """Check the arguments; raises BadRequest with all issues at once."""
        issues = list(self._size_issues())
        places: dict[str, Place | None] = {}
        for name, given in (("after", self.after), ("before", self.before)):
            text = present(given)
            try:
                places[name] = None if text is None else read_cursor(order, text)
            except ValueError as error:
                issues.append(Issue(path=(name,), message=f"{name} {error}", code="invalid_cursor"))
        if issues:
            raise BadRequest("; ".join(issue.message for issue in issues), issues)
        last = present(self.last)
        limit = present(self.first) if last is None else last
        return Window(
            limit=DEFAULT_PAGE if limit is None else limit,
            backward=last is not None,
            after=places["after"],
            before=places["before"],
        )

    def _size_issues(self) -> list[Issue]:
        sizes = {"first": present(self.first), "last": present(self.last)}
        issues = [
            Issue(
                path=(name,),
                message=f"{name} must be from 1 to {MAX_PAGE}, got {size}",
                code="out_of_range",
            )
            for name, size in sizes.items()
            if size is not None and not 1 <= size <= MAX_PAGE
        ]
        if None not in sizes.values():
            message = "first and last exclude each other: give one of them"
            issues.append(Issue(path=("last",), message=message, code="exclusive"))
        return issues


def connection(
    page: Page[R],
    node_of: Callable[[R], T],
    place_of: Callable[[R], Place],
    order: str = BY_ID,
) -> Connection[T]:
    """Make the connection of a page of records."""
    nodes = [node_of(record) for record in page.items]
    cursors = [write_cursor(order, place_of(record)) for record in page.items]
    return Connection(
        edges=[Edge(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )


def by_id(page: Page[Stored], node_of: Callable[[Stored], T]) -> Connection[T]:
    """Make the connection of a page that is ordered by creation."""
    return connection(page, node_of, lambda record: Place(id=record.id))
