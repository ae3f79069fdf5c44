"""DataLoader: combines the lookups of one event loop turn into a single read."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Waiters: TypeAlias = defaultdict[K, list[asyncio.Future[V | None]]]


class _LeaderCancelled(Exception):
    """The caller that executed the batch was cancelled; the other callers must retry."""


class BatchLoader(Generic[K, V]):
    """Batched lookups by key, without a cache.

    The first caller of a turn executes the batch, so no background task is needed. All callers
    resume in the same turn, so that their next loads share a batch.
    """

    def __init__(
        self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V | Exception]]]
    ) -> None:
        """`read` can return an exception for a key: `load` of that key raises it."""
        self._read = read
        self._waiting: Waiters[K, V] = defaultdict(list)

    async def load(self, key: K | None) -> V | None:
        """Return the value of `key`; None if it has no value or is None."""
        if key is None:
            return None
        while self._waiting:
            future = asyncio.get_running_loop().create_future()
            self._waiting[key].append(future)
            try:
                found: V | None = await future
            except _LeaderCancelled:
                continue
            return found
        return await self._lead(key)

    async def _lead(self, key: K) -> V | None:
        batch = self._waiting
        batch[key] = []
        try:
            await asyncio.sleep(0)
            self._waiting = defaultdict(list)
            found = await self._read(batch.keys())
        except BaseException as error:
            if self._waiting is batch:
                self._waiting = defaultdict(list)
            _fail(batch.values(), error if isinstance(error, Exception) else _LeaderCancelled())
            raise
        for each, futures in batch.items():
            _settle(futures, found.get(each))
        await asyncio.sleep(0)
        own = found.get(key)
        if isinstance(own, Exception):
            raise own
        return own


def _settle(futures: Iterable["asyncio.Future[V | None]"], found: V | Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)


def _fail(waiting: Iterable[list["asyncio.Future[V | None]"]], error: Exception) -> None:
    for futures in waiting:
        _settle(futures, error)
