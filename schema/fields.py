"""Strawberry's field decorators with their types kept: theirs return Any, and mypy loses track."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

F = TypeVar("F", bound=Callable[..., object])


def strawberry_field(description: str) -> Callable[[F], F]:
    """Make a method the resolver of a field of its name."""
    return cast("Callable[[F], F]", strawberry.field(description=description))


def strawberry_subscription(description: str) -> Callable[[F], F]:
    """Make an async generator method the source of a subscription of its name."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))
