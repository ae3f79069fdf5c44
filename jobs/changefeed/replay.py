"""Replays changes that the ring has dropped from MongoDB's oplog, in a few shared streams."""

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
GATHER_S: Final = 0.02  # lets the clients of a reconnect storm share one stream
STALL_TIMEOUT_S: Final = 10.0  # a stalled listener blocks the others for at most this long


class ReplayEnd(NamedTuple):
    """The result of a replay. Neither field is set if a collection was dropped."""

    position: Position | None = None
    """The position from which to continue in the ring."""
    error: OstinatoError | None = None


class ReplayListener(Listener, Protocol):
    """A listener with a position, which a replay can wait for."""

    change_filter: ChangeFilter
    position: Position

    def end_replay(self, end: ReplayEnd) -> None: ...

    async def wait_until_drained(self) -> None: ...


class Replay:
    """One change stream, from the oldest position of its listeners to the start of the ring."""

    def __init__(self, mongo: Mongo, ring: Ring, listeners: Sequence[ReplayListener]) -> None:
        self._mongo = mongo
        self._ring = ring
        self._index = SubscriptionIndex()
        self._listeners = dict.fromkeys(sorted(listeners, key=attrgetter("position")))
        self.position: Position | None = None
        """The position that the stream has reached; None before it is open."""
        for listener in self._listeners:
            self._index.join(listener.change_filter, listener)

    def admit(self, listener: ReplayListener) -> bool:
        """Add a listener if the stream has not passed its position."""
        if self.position is None or listener.position < self.position:
            return False
        self._listeners[listener] = None
        self._index.join(listener.change_filter, listener)
        return True

    def discard(self, listener: ReplayListener) -> None:
        if listener in self._listeners:
            del self._listeners[listener]
            self._index.leave(listener.change_filter, listener)

    async def run(self) -> None:
        """Replay until the ring is reached or no listeners are left."""
        async with ChangeStream(self._mongo) as stream:
            if await self._open(stream):
                await self._replay(stream)

    def fail_remaining(self) -> None:
        """Fail the remaining listeners."""
        message = "the replay of missed changes stopped early: resume from your last cursor"
        for listener in list(self._listeners):
            self._fail(listener, Unavailable(message))

    async def _open(self, stream: ChangeStream) -> bool:
        while self._listeners:
            oldest = next(iter(self._listeners)).position
            try:
                await stream.open_after(oldest)
            except HistoryLost as error:
                await self._fail_lost(stream, error)
            else:
                self.position = oldest
                return True
        return False

    async def _fail_lost(self, stream: ChangeStream, error: HistoryLost) -> None:
        """Fail the listeners whose history is lost; a binary search finds the oldest available."""
        positions = sorted({listener.position for listener in self._listeners})
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
        for listener in [listener for listener in self._listeners if listener.position in lost]:
            self._fail(listener, error)

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
            await self._wait_for_listeners()
            if not self._listeners:
                return

    async def _wait_for_listeners(self) -> None:
        """Apply backpressure: wait until all listeners have consumed the batch, or fail them."""
        deadline = asyncio.get_running_loop().time() + STALL_TIMEOUT_S
        for listener in list(self._listeners):
            try:
                async with asyncio.timeout_at(deadline):
                    await listener.wait_until_drained()
            except TimeoutError:
                self._fail(listener, SlowConsumer("read faster, then resume from your last cursor"))

    def _end(self, end: ReplayEnd) -> None:
        for listener in self._listeners:
            listener.end_replay(end)
        self._listeners = {}

    def _fail(self, listener: ReplayListener, error: OstinatoError) -> None:
        listener.end_replay(ReplayEnd(error=error))
        self.discard(listener)


class ReplayPool:
    """Runs a bounded number of replays, each shared by many listeners."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring
        self._waiting: dict[ReplayListener, None] = {}
        self._running: dict[Replay, asyncio.Task[None]] = {}
        self._opening: asyncio.Task[None] | None = None
        self.opened = 0
        """Streams opened so far."""

    @property
    def running(self) -> int:
        """Return the number of open streams."""
        return len(self._running)

    def join(self, listener: ReplayListener) -> None:
        """Add a listener to a running replay or to the next; the caller must call `leave`."""
        if not any(replay.admit(listener) for replay in self._running):
            self._waiting[listener] = None
            self._open_soon()

    def leave(self, listener: ReplayListener) -> None:
        """Remove a listener; a no-op if its replay has ended."""
        self._waiting.pop(listener, None)
        for replay in self._running:
            replay.discard(listener)

    async def close(self) -> None:
        """Cancel all replays."""
        tasks = [*self._running.values()]
        if self._opening is not None:
            tasks.append(self._opening)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open_soon(self) -> None:
        if self._waiting and self._opening is None and len(self._running) < MAX_STREAMS:
            self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(GATHER_S)
        self._opening = None
        listeners, self._waiting = list(self._waiting), {}
        if listeners:
            replay = Replay(self._mongo, self._ring, listeners)
            self.opened += 1
            self._running[replay] = asyncio.create_task(self._run(replay))

    async def _run(self, replay: Replay) -> None:
        try:
            await replay.run()
        except Exception:  # any error: its listeners resume, the other replays continue
            log.exception("replay.failed")
        finally:
            del self._running[replay]
            replay.fail_remaining()
            self._open_soon()
