"""Gathers the single reads that one turn of the event loop asks for into one read."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Waiting: TypeAlias = dict[K, asyncio.Future[V | None]]


class _LeaderGone(Exception):
    """Whoever was to read for all was cancelled: ask again."""


class Loader(Generic[K, V]):
    """Read by key, many keys at a time; nothing is kept, so a later load reads again.

    The first caller of a turn reads for all of them, so there is no task to look after.
    """

    def __init__(self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: Waiting[K, V] = {}

    async def load(self, key: K | None) -> V | None:
        """Return what is stored under `key`, None if there is nothing, or no key."""
        if key is None:
            return None
        while True:
            future = self._waiting.get(key)
            if future is None:
                future = self._waiting[key] = asyncio.get_running_loop().create_future()
                if len(self._waiting) == 1:
                    await self._lead(self._waiting)
            try:
                return await asyncio.shield(future)
            except _LeaderGone:
                continue

    async def _lead(self, batch: Waiting[K, V]) -> None:
        try:
            await asyncio.sleep(0)
            self._waiting = {}
            found = await self._read(batch.keys())
        except BaseException as error:
            if self._waiting is batch:
                self._waiting = {}
            _fail(batch.values(), error if isinstance(error, Exception) else _LeaderGone())
            raise
        for key, future in batch.items():
            future.set_result(found.get(key))


def _fail(futures: Collection["asyncio.Future[V | None]"], error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
        future.exception()  # marks it as seen: the leader raises the error whoever else waits
