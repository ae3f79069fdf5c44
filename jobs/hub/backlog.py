"""Keeps what nobody has needed yet as MongoDB sent it: most of that is never decoded."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from jobs.hub.ring import Ring
from jobs.mongo.stream import StreamBatch


class Backlog:
    """Hold the batches that follow what is in the ring; together they keep the ring's bound."""

    def __init__(self, ring: Ring, digest: Callable[[StreamBatch], Awaitable[None]]) -> None:
        """`digest` brings a batch into the ring: all or nothing of it, if it is canceled."""
        self._ring = ring
        self._digest = digest
        self._batches: deque[StreamBatch] = deque()
        self._changes = 0
        self._reading = asyncio.Lock()

    def __len__(self) -> int:
        return self._changes

    @property
    def being_read(self) -> bool:
        return self._reading.locked()

    def put(self, batch: StreamBatch) -> None:
        """Take a batch; the oldest changes go, of the ring first."""
        if not batch.events:
            return
        self._batches.append(batch)
        self._changes += len(batch.events)
        self._ring.make_room(self._changes)
        while self._changes > self._ring.capacity and len(self._batches) > 1:
            dropped = self._batches[0]
            self._drop(dropped)
            self._ring.clear(dropped.position)

    async def read(self) -> None:
        """Bring all into the ring, oldest first, with turns for others in between."""
        async with self._reading:
            while self._batches:
                batch = self._batches[0]
                await self._digest(batch)
                self._drop(batch)
                if self._batches:
                    await asyncio.sleep(0)

    def clear(self) -> None:
        self._batches.clear()
        self._changes = 0

    def _drop(self, batch: StreamBatch) -> None:
        """Forget the oldest batch, unless that has been cleared or dropped meanwhile."""
        if self._batches and self._batches[0] is batch:
            self._batches.popleft()
            self._changes -= len(batch.events)
