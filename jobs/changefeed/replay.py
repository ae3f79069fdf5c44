"""Replays changes from MongoDB's oplog that the ring has dropped, in few streams for all."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from ostinato.jobs.changefeed.index import Listener, SubscriptionIndex
from ostinato.jobs.changefeed.matching import ChangeFilter
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changefeed.routing import decode_and_resolve
from ostinato.jobs.changes import Position
from ostinato.jobs.errors import HistoryLost, OstinatoError, SlowConsumer, Unavailable
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.change_stream import ChangeStream
from ostinato.jobs.mongo.client import Mongo

log = get_log(__name__)

MAX_STREAMS: Final = 4  # each costs MongoDB a scan of its oplog
GATHER_S: Final = 0.02  # the clients of a reconnect storm arrive within moments
STALL_TIMEOUT_S: Final = 10.0  # a stalled reader must not hold up the others for longer


class ReplayEnd(NamedTuple):
    """How a replay ended; with neither field, documents vanished without a change."""

    position: Position | None = None
    """Where to continue in the ring."""
    error: OstinatoError | None = None


class Reader(Listener, Protocol):
    """A subscription that reads a replay."""

    wanted: ChangeFilter
    position: Position

    def end_replay(self, end: ReplayEnd) -> None: ...

    async def drained(self) -> None: ...


class Replay:
    """One stream from the oldest position of its readers until it reaches the ring."""

    def __init__(self, mongo: Mongo, ring: Ring, readers: Sequence[Reader]) -> None:
        self._mongo = mongo
        self._ring = ring
        self._index = SubscriptionIndex()
        self._readers = dict.fromkeys(sorted(readers, key=attrgetter("position")))
        self.position: Position | None = None
        """All changes after this are still to come; None before the stream is open."""
        for reader in self._readers:
            self._index.join(reader.wanted, reader)

    def admit(self, reader: Reader) -> bool:
        """Add a reader if the stream has not passed its position."""
        if self.position is None or reader.position < self.position:
            return False
        self._readers[reader] = None
        self._index.join(reader.wanted, reader)
        return True

    def discard(self, reader: Reader) -> None:
        if reader in self._readers:
            del self._readers[reader]
            self._index.leave(reader.wanted, reader)

    async def run(self) -> None:
        """Replay until each reader has caught up with the ring, failed or left."""
        async with ChangeStream(self._mongo) as stream:
            if await self._open(stream):
                await self._replay(stream)

    def abandon(self) -> None:
        """Fail the readers that are left."""
        message = "the replay of missed changes stopped early: resume from your last cursor"
        for reader in list(self._readers):
            self._fail(reader, Unavailable(message))

    async def _open(self, stream: ChangeStream) -> bool:
        while self._readers:
            oldest = next(iter(self._readers)).position
            try:
                await stream.open_after(oldest)
            except HistoryLost as error:
                await self._fail_lost(stream, error)
            else:
                self.position = oldest
                return True
        return False

    async def _fail_lost(self, stream: ChangeStream, error: HistoryLost) -> None:
        """Fail the readers whose history is lost; a binary search finds the oldest available."""
        positions = sorted({reader.position for reader in self._readers})
        low, high = 1, len(positions)
        while low < high:
            middle = (low + high) // 2
            try:
                await stream.open_after(positions[middle])
            except HistoryLost:
                low = middle + 1
            else:
                high = middle
        lost = set(positions[:low])
        for reader in [reader for reader in self._readers if reader.position in lost]:
            self._fail(reader, error)

    async def _replay(self, stream: ChangeStream) -> None:
        async for batch in stream.batches():
            decoded = await decode_and_resolve(self._mongo, self._ring, batch)
            if decoded.invalidated_at is not None:
                self._end(ReplayEnd())
                return
            self.position = batch.position
            self._index.publish(decoded.changes)
            if self._ring.covers(batch.position):
                self._end(ReplayEnd(position=batch.position))
                return
            await self._wait_for_readers()
            if not self._readers:
                return

    async def _wait_for_readers(self) -> None:
        """Wait until all have read the batch, so that history does not pile up in memory."""
        deadline = asyncio.get_running_loop().time() + STALL_TIMEOUT_S
        for reader in list(self._readers):
            try:
                async with asyncio.timeout_at(deadline):
                    await reader.drained()
            except TimeoutError:
                self._fail(reader, SlowConsumer("read faster, then resume by your last cursor"))

    def _end(self, end: ReplayEnd) -> None:
        for reader in self._readers:
            reader.end_replay(end)
        self._readers = {}

    def _fail(self, reader: Reader, error: OstinatoError) -> None:
        reader.end_replay(ReplayEnd(error=error))
        self.discard(reader)


class ReplayPool:
    """Runs a bounded number of replays, each for many readers."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring
        self._waiting: dict[Reader, None] = {}
        self._running: dict[Replay, asyncio.Task[None]] = {}
        self._gathering: asyncio.Task[None] | None = None
        self.opened = 0
        """Streams opened so far."""

    @property
    def running(self) -> int:
        """Return the number of open streams."""
        return len(self._running)

    def join(self, reader: Reader) -> None:
        """Start to replay what comes after the reader's position; it must leave in the end."""
        if not any(replay.admit(reader) for replay in self._running):
            self._waiting[reader] = None
            self._open_soon()

    def leave(self, reader: Reader) -> None:
        """Remove a reader; does nothing when its replay has ended."""
        self._waiting.pop(reader, None)
        for replay in self._running:
            replay.discard(reader)

    async def close(self) -> None:
        """End all streams."""
        tasks = [*self._running.values()]
        if self._gathering is not None:
            tasks.append(self._gathering)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open_soon(self) -> None:
        if self._waiting and self._gathering is None and len(self._running) < MAX_STREAMS:
            self._gathering = asyncio.create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(GATHER_S)
        self._gathering = None
        readers, self._waiting = list(self._waiting), {}
        if readers:
            replay = Replay(self._mongo, self._ring, readers)
            self.opened += 1
            self._running[replay] = asyncio.create_task(self._run(replay))

    async def _run(self, replay: Replay) -> None:
        try:
            await replay.run()
        except Exception:  # any error: the readers resume, and the other replays continue
            log.exception("replay.failed")
        finally:
            del self._running[replay]
            replay.abandon()
            self._open_soon()
