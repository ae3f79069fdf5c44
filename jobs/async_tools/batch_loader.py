"""DataLoader: combines the lookups of one event loop turn into a single read."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _LeaderCancelled(Exception):
    """The caller that executed the batch was canceled; the other callers must retry."""


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
        self._keys: dict[K, None] = {}  # in order of the calls, unlike a set
        self._waiting: list[asyncio.Future[Mapping[K, V | Exception]]] = []

    async def load(self, key: K | None) -> V | None:
        """Return the value of `key`; None if it has no value or is None."""
        if key is None:
            return None
        found = (await self.load_many((key,))).get(key)
        if isinstance(found, Exception):
            raise found
        return found

    async def load_many(self, keys: Collection[K]) -> Mapping[K, V | Exception]:
        """Return the values of those `keys` that have one, and of the batch's other keys."""
        while keys and self._keys:
            future = asyncio.get_running_loop().create_future()
            self._keys.update(dict.fromkeys(keys))
            self._waiting.append(future)
            try:
                found: Mapping[K, V | Exception] = await future
            except _LeaderCancelled:
                continue
            return found
        return await self._lead(keys) if keys else {}

    async def _lead(self, keys: Collection[K]) -> Mapping[K, V | Exception]:
        batch, waiting = self._keys, self._waiting
        batch.update(dict.fromkeys(keys))
        try:
            await asyncio.sleep(0)
            self._keys, self._waiting = {}, []
            found = await self._read(batch.keys())
        except BaseException as error:
            if self._keys is batch:
                self._keys, self._waiting = {}, []
            _settle(waiting, error if isinstance(error, Exception) else _LeaderCancelled())
            raise
        _settle(waiting, found)
        await asyncio.sleep(0)
        return found


def _settle(
    waiting: Iterable["asyncio.Future[Mapping[K, V | Exception]]"],
    found: Mapping[K, V | Exception] | Exception,
) -> None:
    for future in waiting:
        if future.done():
            continue
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)
