"""Turns the messages of a use case into those of the GraphQL schema, one by one."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

M = TypeVar("M")
C = TypeVar("C")


async def sent(messages: AsyncIterator[M], translate: Callable[[M], C]) -> AsyncIterator[C]:
    """Translate each message; closing this closes `messages`, too."""
    try:
        async for message in messages:
            yield translate(message)
    finally:
        aclose = getattr(messages, "aclose", None)
        if aclose is not None:
            await aclose()
