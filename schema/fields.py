"""What fields are written with: their decorators, `info` argument and omitted arguments.

The decorators are typed wrappers of Strawberry's, which return Any.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, cast

import strawberry
from strawberry import UNSET

from ostinato.resolvers.context import RequestContext

Info: TypeAlias = strawberry.Info[RequestContext, None]
"""The `info` argument of a resolver, with the request's context."""

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

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
