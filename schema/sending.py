"""Maps async iterators."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

M = TypeVar("M")
C = TypeVar("C")


async def amap(items: AsyncIterator[M], function: Callable[[M], C]) -> AsyncIterator[C]:
    """Apply `function` to each item; closing the result closes `items`."""
    try:
        async for item in items:
            yield function(item)
    finally:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()
