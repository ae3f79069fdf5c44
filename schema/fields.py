"""What fields are written with: their decorators, `info` argument and omitted arguments.

The decorators are typed wrappers of Strawberry's, which return Any.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, cast

import strawberry
from strawberry import UNSET

from ostinato.resolvers.context import RequestContext
from ostinato.schema.execution.root_fields import iter_fields

Info: TypeAlias = strawberry.Info[RequestContext, None]
"""The `info` argument of a resolver, with the request's context."""

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

LARGE_FIELDS: Final = frozenset({"args", "data", "lateAnswer", "result", "timeline"})
"""Fields of objects that are read only if they are selected."""

SHARED: Final = "shared"
"""The metadata key of the `shared` flag."""


def strawberry_field(description: str, *, shared: bool = False) -> Callable[[F], F]:
    """Make a method the resolver of the field with its name.

    `shared` states that the value is equal for all viewers with the same scope and roles. Without
    it, a resolver with an `info` parameter is executed for each viewer separately.
    """
    metadata = {SHARED: True} if shared else None
    return cast("Callable[[F], F]", strawberry.field(description=description, metadata=metadata))


def strawberry_subscription(description: str) -> Callable[[F], F]:
    """Make an async generator method the source of the subscription with its name."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


def unset_to_none(value: T | None) -> T | None:
    """Return the value, or None if it was omitted."""
    return None if value is UNSET else value


def unread_fields(info: Info) -> frozenset[str]:
    """Return the large fields that nothing below the current field selects."""
    fragments = info._raw_info.fragments  # noqa: SLF001 # Strawberry converts all selections
    unread, waiting = set(LARGE_FIELDS), list(info._raw_info.field_nodes)  # noqa: SLF001
    while waiting and unread:
        node = waiting.pop()
        unread.discard(node.name.value)
        if node.selection_set is not None:
            waiting += iter_fields(node.selection_set, fragments)
    return frozenset(unread)
