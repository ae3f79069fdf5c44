"""Relay connections over keyset pages: paging arguments, edges and cursors."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, Protocol, TypeVar

import strawberry

from ostinato.jobs.errors import BadRequest, Issue, range_issues
from ostinato.jobs.ids import is_id
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.paging import ListCount, Page, PagePosition, Window
from ostinato.schema.fields import Info, strawberry_field, unread_fields, unset_to_none


class Identified(Protocol):
    """A record with a document id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T")
R = TypeVar("R")
Stored = TypeVar("Stored", bound=Identified)

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
BY_ID: Final = "id"
BY_SUSPENSION: Final = "suspendedAt"
BY_REVOCATION: Final = "revokedAt"
BY_LAST_FAILURE: Final = "lastSeenAt"
BY_LINE: Final = "line"
NAMED_ORDERS: Final = frozenset({BY_SUSPENSION, BY_REVOCATION, BY_LINE})
"""Orders of lists whose ids are any text."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

First = Annotated[
    int | None,
    strawberry.argument(
        description="The number of objects from the start, 1 to 100. 20 if `first` and `last` are "
        "omitted."
    ),
]
After = Annotated[
    str | None, strawberry.argument(description="Only objects after the edge with this `cursor`.")
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description="The number of objects from the end, 1 to 100. Cannot be combined with `first`."
    ),
]
Before = Annotated[
    str | None, strawberry.argument(description="Only objects before the edge with this `cursor`.")
]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether there are more objects after this page."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether there are more objects before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge, for use as `before`; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge, for use as `after`; null on an empty page."
    )


@strawberry.type(description="An object of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The object's position in the list. Opaque.")
    node: T = strawberry.field(description="The object.")


@strawberry.type(description="The number of objects in a list.")
class TotalCount:
    count: int = strawberry.field(
        description="The number, which includes malformed objects that pages omit. At most 10,000."
    )
    is_exact: bool = strawberry.field(
        description="False if the list has more objects than `count`: counting ends at 10,000, or "
        "after a second."
    )


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The objects with their cursors.")
    nodes: list[T] = strawberry.field(description="The objects without their cursors.")
    page_info: PageInfo = strawberry.field(description="The position of this page in the list.")
    total: strawberry.Private[Callable[[], Awaitable[ListCount | None]]]

    @strawberry_field(
        description="The number of objects in the whole list, on all pages. Counted only if it is "
        "selected, which costs 250 points."
    )
    async def total_count(self) -> TotalCount | None:
        found = await self.total()
        return None if found is None else TotalCount(count=found.count, is_exact=found.is_exact)


def encode_page_cursor(order: str, place: PagePosition) -> str:
    """Encode a position in a list that is sorted by `order`."""
    instant = place.instant
    ms = "" if instant is None else str((instant - _EPOCH) // MILLISECOND)
    return urlsafe_b64encode(f"{order}:{ms}:{place.id}".encode()).decode().rstrip("=")


def decode_page_cursor(order: str, text: str) -> PagePosition:
    """Decode a cursor of a list with the same order; raises ValueError if it is invalid."""
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        found, ms, identifier = plain.split(":", 2)
        instant = _EPOCH + int(ms) * MILLISECOND if ms else None
    except (binascii.Error, ValueError, OverflowError) as error:
        raise ValueError("must be a cursor of this list") from error
    if found != order:
        raise ValueError("must be a cursor of this list in this order")
    is_valid = is_id(identifier) or order in NAMED_ORDERS
    if not is_valid or (instant is None) != (order == BY_ID):
        raise ValueError("must be a cursor of this list")
    return PagePosition(id=identifier, instant=instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The paging arguments of a connection, as sent by the client."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    info: Info | None = None
    """Tells which fields of the objects are selected; None: all of them."""

    def window(self, order: str = BY_ID) -> Window:
        """Validate the arguments; raises BadRequest with all issues at once."""
        issues = list(self._size_issues())
        places: dict[str, PagePosition | None] = {}
        for name, given in (("after", self.after), ("before", self.before)):
            text = unset_to_none(given)
            try:
                places[name] = None if text is None else decode_page_cursor(order, text)
            except ValueError as error:
                issues.append(Issue(path=(name,), message=f"{name} {error}", code="invalid_cursor"))
        if issues:
            raise BadRequest("; ".join(issue.message for issue in issues), issues)
        last = unset_to_none(self.last)
        limit = unset_to_none(self.first) if last is None else last
        return Window(
            limit=DEFAULT_PAGE_SIZE if limit is None else limit,
            backward=last is not None,
            after=places["after"],
            before=places["before"],
            unread=frozenset() if self.info is None else unread_fields(self.info),
        )

    def _size_issues(self) -> list[Issue]:
        sizes = {"first": unset_to_none(self.first), "last": unset_to_none(self.last)}
        issues = [
            issue
            for name, size in sizes.items()
            if size is not None
            for issue in range_issues(name, size, 1, MAX_PAGE_SIZE)
        ]
        if None not in sizes.values():
            message = "first and last are mutually exclusive: send only one of them"
            issues.append(Issue(path=("last",), message=message, code="exclusive"))
        return issues


def build_connection(
    page: Page[R],
    to_node: Callable[[R], T],
    to_place: Callable[[R], PagePosition],
    order: str = BY_ID,
) -> Connection[T]:
    """Build the connection of a page of records."""
    nodes = [to_node(record) for record in page.items]
    cursors = [encode_page_cursor(order, to_place(record)) for record in page.items]
    return Connection(
        edges=[Edge(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
        total=page.total,
    )


def connection_by_id(page: Page[Stored], to_node: Callable[[Stored], T]) -> Connection[T]:
    """Build the connection of a page that is sorted by creation time."""
    return build_connection(page, to_node, lambda record: PagePosition(id=record.id))
