"""Owns the process's change stream, the ring of recent changes, and the subscriptions."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from ostinato.jobs.alerts import Alert
from ostinato.jobs.async_tools.supervision import SupervisedTask
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changefeed.feed_subscription import FeedSubscription
from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.matching import ChangeFilter
from ostinato.jobs.changefeed.probe import HeadProbe
from ostinato.jobs.changefeed.replay import ReplayPool
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changefeed.routing import decode_and_resolve
from ostinato.jobs.changes import BEGINNING, ClusterTime, DocumentChange, Position, time_of
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.errors import HistoryLost, Unavailable
from ostinato.jobs.job_logs import LogBatch
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.change_stream import ChangeStream, StreamBatch, read_cluster_time
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.mongo.job_counts import JobCountCache
from ostinato.jobs.mongo.job_logs import JobLogStore
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.reads import ObjectReader
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request
from ostinato.jobs.settings import Settings

log = get_log(__name__)
R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)
KINDS: Final[tuple[type[Any], ...]] = (
    *(Job, Cron, CronTick, RecurringTask, Batch),
    *(Request, Failure, Alert, BulkAction),
)

START_TIMEOUT_S: Final = 15.0  # long enough for a failover and a reconnect
WARM_UP_TIMEOUT_S: Final = 5.0  # history that takes longer to read is served by replays


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFeedStats:
    """A snapshot of the statistics."""

    following: bool
    changes: int
    """Changes received so far."""
    job_transitions: Mapping[str, int]
    """Number of transitions of non-internal jobs into each state since the start."""
    reopened: int
    invalidated: int
    histories_lost: int
    resets: int
    ring: int
    """Number of changes in the ring."""
    subscriptions: int
    filters: int
    """Number of distinct filters of the subscriptions."""
    replays: int
    """Number of change streams opened so far for replays."""
    probes: int
    """Number of probes of the change stream's head."""


def states_entered(changes: Iterable[DocumentChange]) -> Iterator[str]:
    """Return the state entered by each change of a non-internal job. Changes without a transition,
    such as a cancel request, are skipped."""
    for change in changes:
        event = change.event_raw
        if event is None or change.route is None or change.route.internal:
            continue
        if event.get("from") != event["state"]:
            yield event["state"]


class ChangeFeed:
    """Tails MongoDB's change stream while open. Not thread-safe: one event loop only."""

    def __init__(self, mongo: Mongo, settings: Settings) -> None:
        self._mongo = mongo
        self._settings = settings
        self._stream = ChangeStream(mongo)
        self._subscriptions: set[FeedSubscription] = set()
        self._supervised = SupervisedTask("change feed", self._follow)
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False
        self._failure: Exception | None = None
        """A decoding error raised in a reader's task, to be raised again by the feed's task."""
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
        """The position up to which all changes are published, or pending in the ring."""
        self.time: ClusterTime = BEGINNING
        """The cluster time of `position`."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._supervised.run())
        self._task.add_done_callback(self._on_stopped)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._started.wait()
        except TimeoutError:
            await self.close()
            raise Unavailable("the change stream did not start in time: see the log") from None
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the change stream; all subscriptions fail with Unavailable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._probe.close()
        await self.replays.close()
        await self.counts.close()

    @property
    def following(self) -> bool:
        """Whether the change stream has started and is open."""
        return self._started.is_set() and self._task is not None and not self._task.done()

    @property
    def is_dead(self) -> bool:
        """Whether restarts have failed for too long; the process should be restarted."""
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

    def subscribe(
        self, change_filter: ChangeFilter, after: Position | None = None
    ) -> FeedSubscription:
        """Subscribe to the matching changes after a position, by default the current one."""
        if not self.following:
            raise _not_following()
        subscription = FeedSubscription(self, change_filter, after or self.position)
        self._subscriptions.add(subscription)
        return subscription

    async def wait_until_following(self) -> None:
        """Wait until a restart has ended; raises Unavailable after START_TIMEOUT_S."""
        if self.following:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._started.wait()
        if not self.following:
            raise _not_following()

    def forget(self, subscription: FeedSubscription) -> None:
        self._subscriptions.discard(subscription)

    async def load(self, kind: type[R], ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Read objects as of a published position or later; concurrent calls share one query."""
        return cast("Mapping[str, R]", await self._objects[kind].load(ids, after))

    async def load_log_batches(
        self, ids: Collection[str], after: Position
    ) -> Mapping[str, LogBatch]:
        """Read inserted lines of logs as of a published position or later."""
        store, time = JobLogStore(self._mongo), time_of(after)
        return await MongoRetry().run(lambda: store.find_batches(ids, time))

    async def current_time(self) -> ClusterTime:
        """Return the cluster time: at or after every write that was visible before the call."""
        return await MongoRetry().run(lambda: read_cluster_time(self._mongo))

    async def reach(self, time: ClusterTime) -> None:
        """Wait until the feed has reached a cluster time; raises Unavailable."""
        while self.time < time:
            await self.wait_until_following()
            await self._probe.probe()

    async def ensure_decoded(self, deadline: float) -> bool:
        """Decode pending batches until `deadline`; return whether none are left."""
        if not self.ring.is_decoded:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._decode_for_reader()
        return self.ring.is_decoded

    async def _decode_for_reader(self) -> None:
        """Decode in a reader's task; an error restarts the feed and is not raised in the reader."""
        try:
            await self._decode()
        except Exception as error:  # raised again by the feed's task
            self._failure = error
            self.ring.drop_undecoded()

    async def _decode(self) -> None:
        decode = partial(decode_and_resolve, self._mongo, self.ring)
        await self.ring.decode_pending(decode, self._publish)

    async def _follow(self) -> None:
        """Tail the change stream. After an error, restart at the current time and reset all
        subscriptions."""
        try:
            async with self._stream as stream:
                await (self._restart(stream) if self._has_failed else self._start(stream))
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
            await self._restart(stream)

    async def _start(self, stream: ChangeStream) -> None:
        await stream.open_recent(self._settings.hub_history_ms)
        if not await self._warm_up(stream):
            log.info("changefeed.started_cold")
            await stream.open_now()
            self.ring.clear(stream.position)

    async def _restart(self, stream: ChangeStream) -> None:
        await stream.open_now()
        self.ring.drop_undecoded()
        self._reset(stream.position)

    async def _warm_up(self, stream: ChangeStream) -> bool:
        """Read recent history; return False if that takes too long or the history is lost."""
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
        """Publish a batch, or leave it undecoded if there are no readers."""
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
        """Whether there are subscriptions, or metrics that count the changes."""
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
        """Advance `position` and `time`; the stream may report a position after the probe did."""
        self.position = max(self.position, batch.position)
        self.time = max(self.time, batch.time)

    def _count(self, changes: Sequence[DocumentChange]) -> None:
        if self._started.is_set():  # changes read during the warm-up predate this process
            self._transitions.update(states_entered(changes))

    def _reset(self, position: Position) -> None:
        """Drop all history before `position`, and reset every subscription at an older position."""
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
            subscription.fail(Unavailable("the server is shutting down: reconnect and resume"))


def _not_following() -> Unavailable:
    return Unavailable("the change feed is stopping or restarting: retry in a few seconds")
