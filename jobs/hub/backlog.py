"""Keeps what nobody has needed yet as MongoDB sent it: most of that is never decoded."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.decoding import DecodedBatch


class Backlog:
    """Hold the batches that follow what is in the ring; together they keep the ring's bound."""

    def __init__(
        self,
        ring: Ring,
        decode: Callable[[StreamBatch], Awaitable[DecodedBatch]],
        hand_out: Callable[[StreamBatch, DecodedBatch], None],
    ) -> None:
        """`decode` may take a while, and be canceled; `hand_out` brings a batch into the ring."""
        self._ring = ring
        self._decode = decode
        self._hand_out = hand_out
        self._batches: deque[StreamBatch] = deque()
        self._changes = 0
        self._reading = asyncio.Lock()

    def __len__(self) -> int:
        return self._changes

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
                decoded = await self._decode(batch)
                if self._drop(batch):
                    self._hand_out(batch, decoded)
                if self._batches:
                    await asyncio.sleep(0)

    def clear(self) -> None:
        self._batches.clear()
        self._changes = 0

    def _drop(self, batch: StreamBatch) -> bool:
        """Forget the oldest batch; tell whether it still is that: what was put while it was decoded
        may have taken its room, and then it would leave a gap behind it."""
        if not self._batches or self._batches[0] is not batch:
            return False
        self._batches.popleft()
        self._changes -= len(batch.events)
        return True
