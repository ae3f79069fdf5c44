"""Replays history that has left the ring, in few streams however many readers ask."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import HistoryLost, OstinatoError, SlowConsumer, Unavailable
from ostinato.jobs.hub.feed import Feed
from ostinato.jobs.hub.groups import Groups
from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.hub.routing import decoded_with_routes
from ostinato.jobs.hub.watch import Watch
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.change_stream import ChangeStream
from ostinato.jobs.mongo.client import Mongo

log = get_log(__name__)

MOST_STREAMS: Final = 4  # each costs MongoDB a scan of its oplog
GATHER_S: Final = 0.02  # a reconnect storm arrives within moments
STALL_S: Final = 10.0  # one reader must not hold up the others for longer


class CatchUp:
    """One stream from the oldest position of its feeds until it joins the ring."""

    def __init__(self, mongo: Mongo, ring: Ring, feeds: Sequence[Feed]) -> None:
        self._mongo = mongo
        self._ring = ring
        self._groups = Groups()
        self._feeds = dict.fromkeys(sorted(feeds, key=attrgetter("after")))
        self.position: Position | None = None
        """Everything behind this is still to come; None before the stream is open."""
        for feed in self._feeds:
            self._groups.join(feed.watch, feed)

    def admit(self, feed: Feed) -> bool:
        """Take in a feed that has missed nothing of this stream."""
        if self.position is None or feed.after < self.position:
            return False
        self._feeds[feed] = None
        self._groups.join(feed.watch, feed)
        return True

    def discard(self, feed: Feed) -> None:
        if feed in self._feeds:
            del self._feeds[feed]
            self._groups.leave(feed.watch, feed)

    async def run(self) -> None:
        """Replay until every feed has arrived, vanished, failed or gone."""
        async with ChangeStream(self._mongo) as stream:
            if await self._open(stream):
                await self._replay(stream)

    def abandon(self) -> None:
        """Fail the feeds that are left: nobody would serve them any more."""
        for feed in list(self._feeds):
            self._fail(
                feed,
                Unavailable(
                    "the replay of missed changes stopped early: resume from your last cursor"
                ),
            )

    async def _open(self, stream: ChangeStream) -> bool:
        while self._feeds:
            oldest = next(iter(self._feeds)).after
            try:
                await stream.open_after(oldest)
            except HistoryLost as error:
                await self._fail_lost(stream, error)
            else:
                self.position = oldest
                return True
        return False

    async def _fail_lost(self, stream: ChangeStream, error: HistoryLost) -> None:
        """Find the oldest position that MongoDB still has, by halves; the first is lost."""
        positions = sorted({feed.after for feed in self._feeds})
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
        for feed in [feed for feed in self._feeds if feed.after in lost]:
            self._fail(feed, error)

    async def _replay(self, stream: ChangeStream) -> None:
        async for batch in stream.batches():
            decoded = await decoded_with_routes(self._mongo, self._ring, batch)
            if decoded.invalidated_at is not None:
                self._end(Feed.vanish)
                return
            self.position = batch.position
            self._groups.publish(decoded.changes)
            if self._ring.covers(batch.position):
                self._end(partial(Feed.arrive, position=batch.position))
                return
            await self._drain()
            if not self._feeds:
                return

    async def _drain(self) -> None:
        """Wait for the readers, so that history is never piled up in memory."""
        deadline = asyncio.get_running_loop().time() + STALL_S
        for feed in list(self._feeds):
            try:
                async with asyncio.timeout_at(deadline):
                    await feed.drained()
            except TimeoutError:
                self._fail(feed, SlowConsumer("read faster, then resume by your last cursor"))

    def _end(self, say: Callable[[Feed], None]) -> None:
        for feed in self._feeds:
            say(feed)
        self._feeds = {}

    def _fail(self, feed: Feed, error: OstinatoError) -> None:
        feed.fail(error)
        self.discard(feed)


class CatchUps:
    """Share streams between the readers that resume from before the ring."""

    def __init__(self, mongo: Mongo, ring: Ring) -> None:
        self._mongo = mongo
        self._ring = ring
        self._waiting: dict[Feed, None] = {}
        self._running: dict[CatchUp, asyncio.Task[None]] = {}
        self._gathering: asyncio.Task[None] | None = None
        self.opened = 0
        """Streams opened so far."""

    @property
    def running(self) -> int:
        """Count the streams that are open now."""
        return len(self._running)

    def start(self, watch: Watch, after: Position) -> Feed:
        """Begin to replay what is watched; the feed must be stopped in the end."""
        feed = Feed(watch, after)
        if not any(stream.admit(feed) for stream in self._running):
            self._waiting[feed] = None
            self._open_soon()
        return feed

    def stop(self, feed: Feed) -> None:
        """Forget a feed; harmless when it has ended."""
        feed.close()
        self._waiting.pop(feed, None)
        for stream in self._running:
            stream.discard(feed)

    async def close(self) -> None:
        """End all streams."""
        tasks = [*self._running.values()]
        if self._gathering is not None:
            tasks.append(self._gathering)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open_soon(self) -> None:
        if self._waiting and self._gathering is None and len(self._running) < MOST_STREAMS:
            self._gathering = asyncio.create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(GATHER_S)
        self._gathering = None
        feeds, self._waiting = list(self._waiting), {}
        if feeds:
            stream = CatchUp(self._mongo, self._ring, feeds)
            self.opened += 1
            self._running[stream] = asyncio.create_task(self._run(stream))

    async def _run(self, stream: CatchUp) -> None:
        try:
            await stream.run()
        except Exception:  # a duty of the hub: its readers resume, and the others go on
            log.exception("catch_up.failed")
        finally:
            del self._running[stream]
            stream.abandon()
            self._open_soon()
