"""Runs a coroutine up to where it first waits: most sends never do, and need no deadline."""

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Started(Generator[Any, Any, T]):
    """The rest of a coroutine, to be awaited by the task that started it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = [waits_for]

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        """Wait for what the coroutine waits for already, then go on with it."""
        return self._waits_for.pop() if self._waits_for else self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise in the coroutine, where it waits."""
        self._waits_for.clear()
        return self._coroutine.throw(*error)


def started(coroutine: Coroutine[Any, Any, T]) -> Started[T] | None:
    """Start a coroutine; None if it has ended, without waiting for anything."""
    try:
        return Started(coroutine, coroutine.send(None))
    except StopIteration:
        return None
