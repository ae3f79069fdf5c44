"""A ring buffer of the most recent changes; the newest may still be undecoded.

Changes are decoded lazily, since most are never read.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Final, TypeAlias

from ostinato.jobs.changefeed.matching import Key, partitions_of
from ostinato.jobs.changes import DocumentChange, Position, WatchedCollection
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.decoding import DecodedBatch

Decode: TypeAlias = Callable[[StreamBatch], Awaitable[DecodedBatch]]
Publish: TypeAlias = Callable[[StreamBatch, DecodedBatch], None]

_POSITION: Final = attrgetter("position")


class Partition:
    """Changes in order of position, with amortized O(1) removal at the front."""

    __slots__ = ("_changes", "_head")

    def __init__(self) -> None:
        self._changes: list[DocumentChange] = []
        self._head = 0

    def __bool__(self) -> bool:
        return self._head < len(self._changes)

    @property
    def newest(self) -> DocumentChange:
        return self._changes[-1]

    def append(self, change: DocumentChange) -> None:
        self._changes.append(change)

    def drop_oldest(self) -> None:
        self._head += 1
        if self._head > len(self._changes) // 2:
            del self._changes[: self._head]
            self._head = 0

    def after(self, position: Position, limit: int) -> Sequence[DocumentChange]:
        """Return at most `limit` changes after `position`, oldest first."""
        start = bisect_right(self._changes, position, lo=self._head, key=_POSITION)
        return self._changes[start : start + limit]


class Ring:
    """All changes after `start`, at most `capacity`; the oldest are evicted first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._changes: deque[DocumentChange] = deque()
        self._partitions: defaultdict[Key, Partition] = defaultdict(Partition)
        self._undecoded: deque[StreamBatch] = deque()
        self._undecoded_changes = 0
        self._decoding = asyncio.Lock()
        self.start = Position("")

    def __len__(self) -> int:
        return self.decoded_changes + self._undecoded_changes

    @property
    def decoded_changes(self) -> int:
        return len(self._changes)

    @property
    def is_decoded(self) -> bool:
        return not self._undecoded

    def clear(self, start: Position) -> None:
        """Drop all changes, and set the start of the ring."""
        self.drop_undecoded()
        self.clear_decoded(start)

    def clear_decoded(self, start: Position) -> None:
        """Drop the decoded changes, and set the start of the ring."""
        self._changes.clear()
        self._partitions.clear()
        self.start = start

    def drop_undecoded(self) -> None:
        self._undecoded.clear()
        self._undecoded_changes = 0

    def covers(self, position: Position) -> bool:
        """Return whether the ring contains every change after `position`."""
        return position >= self.start

    def put(self, batch: StreamBatch) -> None:
        """Append an undecoded batch; evicts the oldest changes, decoded ones first."""
        if not batch.events:
            return
        self._undecoded.append(batch)
        self._undecoded_changes += len(batch.events)
        self._evict()
        while self._undecoded_changes > self._capacity and len(self._undecoded) > 1:
            dropped = self._undecoded[0]
            self._remove_undecoded(dropped)
            self.clear_decoded(dropped.position)

    async def decode_pending(self, decode: Decode, publish: Publish) -> None:
        """Decode the pending batches, oldest first, yielding to the event loop after each.

        `publish` appends the changes of a batch. One caller decodes at a time; if it is canceled,
        the next one continues.
        """
        async with self._decoding:
            while self._undecoded:
                batch = self._undecoded[0]
                decoded = await decode(batch)
                if self._remove_undecoded(batch):
                    publish(batch, decoded)
                if self._undecoded:
                    await asyncio.sleep(0)

    def append(self, change: DocumentChange) -> None:
        """Append a decoded change; it must precede all undecoded ones."""
        self._changes.append(change)
        for key in partitions_of(change):
            self._partitions[key].append(change)
        self._evict()

    def after(self, key: Key, position: Position, limit: int) -> Sequence[DocumentChange]:
        """Return at most `limit` decoded changes of a partition after `position`, oldest first."""
        partition = self._partitions.get(key)
        return partition.after(position, limit) if partition else ()

    def newest_of(self, collection: WatchedCollection, document_id: str) -> DocumentChange | None:
        """Return the newest decoded change of a document, None if there is none."""
        partition = self._partitions.get((collection, "id", document_id))
        return partition.newest if partition else None

    def _evict(self) -> None:
        while self._changes and len(self) > self._capacity:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._changes.popleft()
        self.start = oldest.position
        for key in partitions_of(oldest):
            partition = self._partitions[key]
            partition.drop_oldest()
            if not partition:
                del self._partitions[key]

    def _remove_undecoded(self, batch: StreamBatch) -> bool:
        """Remove the oldest batch. Returns False if it was evicted during decoding; appending its
        changes would then leave a gap."""
        if not self._undecoded or self._undecoded[0] is not batch:
            return False
        self._undecoded.popleft()
        self._undecoded_changes -= len(batch.events)
        return True
