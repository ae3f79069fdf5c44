"""Owns the process's one change stream, the ring of its newest changes, and its subscriptions."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from ostinato.jobs.async_tools.supervision import SupervisedTask
from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.lookups import JobCountCache, ObjectReader
from ostinato.jobs.changefeed.matching import ChangeFilter
from ostinato.jobs.changefeed.probe import HeadProbe
from ostinato.jobs.changefeed.replay import ReplayPool
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changefeed.routing import decode_and_resolve
from ostinato.jobs.changefeed.stats import ChangeFeedStats, states_entered
from ostinato.jobs.changefeed.subscription import FeedSubscription
from ostinato.jobs.changes import BEGINNING, ClusterTime, DocumentChange, Position
from ostinato.jobs.errors import HistoryLost, Unavailable
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.change_stream import ChangeStream, StreamBatch, read_cluster_time
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request
from ostinato.jobs.settings import Settings

log = get_log(__name__)
R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)
KINDS: Final[tuple[type[Any], ...]] = (Job, Cron, RecurringTask, Batch, Request)

START_TIMEOUT_S: Final = 15.0  # a failover and a reconnection fit in
WARM_UP_TIMEOUT_S: Final = 5.0  # history that takes longer to read is left to the replays


class ChangeFeed:
    """Follow MongoDB's changes while open; subscriptions are for the same event loop."""

    def __init__(self, mongo: Mongo, settings: Settings) -> None:
        self._mongo = mongo
        self._settings = settings
        self._stream = ChangeStream(mongo)
        self._subscriptions: set[FeedSubscription] = set()
        self._supervised = SupervisedTask("hub", self._follow)
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False
        self._failure: Exception | None = None
        """What a reader met while it decoded for all."""
        self._started = asyncio.Event()
        self._changes = 0
        self._transitions: Counter[str] = Counter()
        self._histories_lost = 0
        self._resets = 0
        self._objects = {kind: ObjectReader(mongo, kind) for kind in KINDS}
        self.ring = Ring(settings.ring_events)
        self.index = SubscriptionIndex()
        self.replays = ReplayPool(mongo, self.ring)
        self.counts = JobCountCache(mongo)
        self._probe = HeadProbe(mongo, lambda: self.position, self._advance)
        self.position = Position("")
        """Everything up to here was published, or is undecoded in the ring."""
        self.time: ClusterTime = BEGINNING
        """Everything committed up to then is up to `position`."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._supervised.run())
        self._task.add_done_callback(self._on_stopped)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._started.wait()
        except TimeoutError:
            await self.close()
            raise Unavailable("MongoDB's changes cannot be followed: the log says why") from None
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop following; every subscription ends with Unavailable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._probe.close()
        await self.replays.close()
        await self.counts.close()

    @property
    def following(self) -> bool:
        """Whether changes are being followed."""
        return self._started.is_set() and self._task is not None and not self._task.done()

    @property
    def is_dead(self) -> bool:
        """Whether following fails again and again: only a new process may help."""
        return self._supervised.is_dead

    @property
    def stats(self) -> ChangeFeedStats:
        return ChangeFeedStats(
            following=self.following,
            changes=self._changes,
            job_transitions=self._transitions,
            reopened=self._stream.reopened,
            invalidated=self._stream.invalidated,
            histories_lost=self._histories_lost,
            resets=self._resets,
            ring=len(self.ring),
            subscriptions=len(self._subscriptions),
            filters=len(self.index),
            replays=self.replays.opened,
            probes=self._probe.probes,
        )

    def subscribe(self, wanted: ChangeFilter, after: Position | None = None) -> FeedSubscription:
        """Subscribe to the matching changes after a position, by default from now on."""
        if not self.following:
            raise _not_following()
        subscription = FeedSubscription(self, wanted, after or self.position)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: FeedSubscription) -> None:
        self._subscriptions.discard(subscription)

    async def load(self, kind: type[R], ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Read objects as of a published position or later, in one find for all who ask now."""
        return cast("Mapping[str, R]", await self._objects[kind].load(ids, after))

    async def present(self) -> ClusterTime:
        """Return a time after every write that has been read so far."""
        return await MongoRetry().run(lambda: read_cluster_time(self._mongo))

    async def reach(self, time: ClusterTime) -> None:
        """Wait until everything committed up to then is up to `position`; raises Unavailable."""
        while self.time < time:
            if not self.following:
                raise _not_following()
            await self._probe.probe()

    async def ensure_decoded(self, deadline: float) -> bool:
        """Decode what is undecoded, at most until then; return whether all of it is decoded."""
        if not self.ring.is_decoded:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._decode_for_reader()
        return self.ring.is_decoded

    async def _decode_for_reader(self) -> None:
        """Decode for a reader; an error is not the reader's fault: the feed starts again."""
        try:
            await self._decode()
        except Exception as error:  # the feed's own error, met by a reader
            self._failure = error
            self.ring.drop_undecoded()

    async def _decode(self) -> None:
        decode = partial(decode_and_resolve, self._mongo, self.ring)
        await self.ring.decode_pending(decode, self._publish)

    async def _follow(self) -> None:
        """Follow forever; after an exception, from now on: every reader starts again."""
        try:
            async with self._stream as stream:
                await (self._start_over(stream) if self._has_failed else self._start(stream))
                await self._follow_stream(stream)
        except Exception:
            self._has_failed = True
            self._started.clear()
            raise

    async def _follow_stream(self, stream: ChangeStream) -> None:
        while True:
            with suppress(HistoryLost):
                async for batch in stream.batches():
                    await self._take(batch)
            self._histories_lost += 1
            log.warning("changefeed.history_lost", position=self.position)
            await self._start_over(stream)

    async def _start(self, stream: ChangeStream) -> None:
        await stream.open_recent(self._settings.hub_history_ms)
        if not await self._warm_up(stream):
            log.info("changefeed.started_cold")
            await stream.open_now()
            self.ring.clear(stream.position)

    async def _start_over(self, stream: ChangeStream) -> None:
        await stream.open_now()
        self.ring.drop_undecoded()
        self._reset(stream.position)

    async def _warm_up(self, stream: ChangeStream) -> bool:
        """Read up to the present; False if there is too much to read, or it is lost already."""
        deadline = asyncio.get_running_loop().time() + WARM_UP_TIMEOUT_S
        with suppress(HistoryLost):
            async for batch in stream.batches():
                await self._take(batch)
                if self._started.is_set():
                    return True
                if asyncio.get_running_loop().time() > deadline:
                    break
        return False

    async def _take(self, batch: StreamBatch) -> None:
        """Publish a batch, or leave it undecoded while nobody would notice."""
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        if not self.position:
            self.ring.clear(batch.starts_at)
        self.ring.put(batch)
        if self._has_readers:
            await self._decode()
        self._advance(batch)
        self._changes += len(batch.events)
        if self.time >= self._stream.opened_at:
            self._started.set()

    @property
    def _has_readers(self) -> bool:
        """Whether anybody reads the changes, or what the metrics count of them."""
        return bool(self._subscriptions) or self._settings.metrics_token is not None

    def _publish(self, batch: StreamBatch, decoded: DecodedBatch) -> None:
        if decoded.invalidated_at is not None:
            self._reset(decoded.invalidated_at)
        for change in decoded.changes:
            self.ring.append(change)
        self.index.publish(decoded.changes)
        self._advance(batch)
        self._count(decoded.changes)

    def _advance(self, batch: StreamBatch) -> None:
        """Note how far the history is known; the stream may report it later than the probe."""
        self.position = max(self.position, batch.position)
        self.time = max(self.time, batch.time)

    def _count(self, changes: Sequence[DocumentChange]) -> None:
        if self._started.is_set():  # history was counted when it happened
            self._transitions.update(states_entered(changes))

    def _reset(self, position: Position) -> None:
        """Drop all history before `position`, and make every reader from before start again."""
        self._resets += 1
        self.ring.clear_decoded(position)
        self.position = max(self.position, position)
        for subscription in list(self._subscriptions):
            if subscription.position < position:
                subscription.reset(position)

    def _on_stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("changefeed.crashed", exc_info=error)
        for subscription in list(self._subscriptions):
            subscription.fail(Unavailable("the server is stopping: resume elsewhere"))


def _not_following() -> Unavailable:
    return Unavailable("the feed of changes is stopping or starting again: try again in a moment")
