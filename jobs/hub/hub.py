"""Owns the process's one change stream, its ring, and everybody who listens to it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from ostinato.jobs.changes import BEGINNING, Change, ClusterTime, Position
from ostinato.jobs.errors import HistoryLost, Unavailable
from ostinato.jobs.hub.backlog import Backlog
from ostinato.jobs.hub.buffer import Buffer
from ostinato.jobs.hub.catch_up import CatchUps
from ostinato.jobs.hub.counts import Counts
from ostinato.jobs.hub.facts import HubFacts, states_entered
from ostinato.jobs.hub.groups import Groups
from ostinato.jobs.hub.lookout import Lookout
from ostinato.jobs.hub.objects import Objects
from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.hub.routing import decoded_with_routes
from ostinato.jobs.hub.subscription import Subscription
from ostinato.jobs.hub.watch import Watch
from ostinato.jobs.mongo.backoff import Backoff
from ostinato.jobs.mongo.change_stream import ChangeStream, StreamBatch, read_cluster_time
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request
from ostinato.jobs.settings import Settings
from ostinato.jobs.supervision import SupervisedTask

log = logging.getLogger("ostinato.hub")

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)
KINDS: Final[tuple[type[Any], ...]] = (Job, Cron, RecurringTask, Batch, Request)

START_S: Final = 15.0  # a failover and a reconnection fit in
WARM_S: Final = 5.0  # history that takes longer to read is left to the catch-up streams


class Hub:
    """Follow MongoDB from `async with` on; subscriptions are for the same event loop."""

    def __init__(self, mongo: Mongo, settings: Settings) -> None:
        self._mongo = mongo
        self._settings = settings
        self._stream = ChangeStream(mongo)
        self._subscriptions: set[Subscription] = set()
        self._duty = SupervisedTask("hub", self._follow)
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False
        self._failure: Exception | None = None
        """What a reader met while it read on for all."""
        self._started = asyncio.Event()
        self._changes = 0
        self._transitions: Counter[str] = Counter()
        self._histories_lost = 0
        self._resets = 0
        self._objects = {kind: Objects(mongo, kind) for kind in KINDS}
        self.ring = Ring(settings.ring_events)
        self._backlog = Backlog(
            self.ring, partial(decoded_with_routes, mongo, self.ring), self._hand_out
        )
        self.groups = Groups()
        self.catch_ups = CatchUps(mongo, self.ring)
        self.counts = Counts(mongo)
        self._lookout = Lookout(mongo, lambda: self.position, self._go_on)
        self.position = Position("")
        """Everything up to here has been handed out, or waits until somebody listens."""
        self.time: ClusterTime = BEGINNING
        """Everything that was committed up to then is up to `position`."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._duty.run())
        self._task.add_done_callback(self._stopped)
        try:
            async with asyncio.timeout(START_S):
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
        await self._lookout.close()
        await self.catch_ups.close()
        await self.counts.close()

    @property
    def following(self) -> bool:
        """Tell whether changes are being followed."""
        return self._started.is_set() and self._task is not None and not self._task.done()

    @property
    def is_dead(self) -> bool:
        """Tell whether following fails again and again: only a new process may help."""
        return self._duty.is_dead

    @property
    def facts(self) -> HubFacts:
        return HubFacts(
            following=self.following,
            changes=self._changes,
            job_transitions=self._transitions,
            reopened=self._stream.reopened,
            invalidated=self._stream.invalidated,
            histories_lost=self._histories_lost,
            resets=self._resets,
            ring=len(self.ring) + len(self._backlog),
            subscriptions=len(self._subscriptions),
            groups=len(self.groups),
            catch_ups=self.catch_ups.opened,
            looks=self._lookout.looks,
        )

    def subscribe(self, watch: Watch, after: Position | None = None) -> Subscription:
        """Listen to what happens behind `after`, or from now on; close it in the end."""
        if not self.following:
            raise _unfollowed()
        buffer = Buffer(self._settings.subscription_buffer)
        subscription = Subscription(self, watch, after or self.position, buffer)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    async def load(self, kind: type[R], ids: Collection[str], behind: Position) -> Mapping[str, R]:
        """Read objects whose changes were handed out, up to that position, in one find for all who
        ask now."""
        return cast("Mapping[str, R]", await self._objects[kind].load(ids, behind))

    async def present(self) -> ClusterTime:
        """Return a time behind every write that has been read so far."""
        return await Backoff().retry(lambda: read_cluster_time(self._mongo))

    async def reach(self, time: ClusterTime) -> None:
        """Wait until all that was committed up to then is up to `position`; raises Unavailable."""
        while self.time < time:
            if not self.following:
                raise _unfollowed()
            await self._lookout.look()

    async def has_read(self, deadline: float) -> bool:
        """Wait until what was put off is in the ring, at most until then; tell whether it is."""
        if self._backlog:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._read_backlog()
        return not self._backlog

    async def _read_backlog(self) -> None:
        """Read for a reader; what fails is not the reader's fault: the hub starts again."""
        try:
            await self._backlog.read()
        except Exception as error:  # a duty of the hub, done by whoever waits for it
            self._failure = error
            self._backlog.clear()

    async def _follow(self) -> None:
        """Follow for ever; after an exception, from the present on: every reader starts again."""
        try:
            async with self._stream as stream:
                await (self._begin_anew(stream) if self._has_failed else self._begin(stream))
                await self._go_on_for_ever(stream)
        except Exception:
            self._has_failed = True
            self._started.clear()
            raise

    async def _go_on_for_ever(self, stream: ChangeStream) -> None:
        while True:
            with suppress(HistoryLost):
                await self._take_all(stream)
            self._histories_lost += 1
            log.warning("hub.history_lost", extra={"position": self.position})
            await self._begin_anew(stream)

    async def _begin(self, stream: ChangeStream) -> None:
        await stream.open_recent(self._settings.hub_history_ms)
        if not await self._warm_up(stream):
            log.info("hub.started_cold")
            await stream.open_now()
            self._backlog.clear()
            self.ring.clear(stream.position)

    async def _begin_anew(self, stream: ChangeStream) -> None:
        await stream.open_now()
        self._backlog.clear()
        self._start_ring(stream.position)

    async def _warm_up(self, stream: ChangeStream) -> bool:
        """Read up to the present; False if there is too much to read, or it is lost already."""
        deadline = asyncio.get_running_loop().time() + WARM_S
        with suppress(HistoryLost):
            async for batch in stream.batches():
                await self._take(batch)
                if self._started.is_set():
                    return True
                if asyncio.get_running_loop().time() > deadline:
                    break
        return False

    async def _take_all(self, stream: ChangeStream) -> None:
        async for batch in stream.batches():
            await self._take(batch)

    async def _take(self, batch: StreamBatch) -> None:
        """Hand a batch out, or put that off while there is nobody who would notice."""
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        if not self.position:
            self.ring.clear(batch.starts_at)
        self._backlog.put(batch)
        if self._is_heard:
            await self._backlog.read()
        self._go_on(batch)
        self._changes += len(batch.events)
        if self.time >= self._stream.opened_at:
            self._started.set()

    @property
    def _is_heard(self) -> bool:
        """Tell whether anybody reads the changes, or what the metrics count of them."""
        return bool(self._subscriptions) or self._settings.metrics_token is not None

    def _hand_out(self, batch: StreamBatch, decoded: DecodedBatch) -> None:
        if decoded.invalidated_at is not None:
            self._start_ring(decoded.invalidated_at)
        for change in decoded.changes:
            self.ring.append(change)
        self.groups.publish(decoded.changes)
        self._go_on(batch)
        self._count(decoded.changes)

    def _go_on(self, batch: StreamBatch) -> None:
        """Note how far everything is known; the stream may say so later than the lookout."""
        self.position = max(self.position, batch.position)
        self.time = max(self.time, batch.time)

    def _count(self, changes: Sequence[Change]) -> None:
        if self._started.is_set():  # history was counted when it happened
            self._transitions.update(states_entered(changes))

    def _start_ring(self, position: Position) -> None:
        """Forget all history before `position`, and let every reader from before start again."""
        self._resets += 1
        self.ring.clear(position)
        self.position = max(self.position, position)
        for subscription in list(self._subscriptions):
            if subscription.position < position:
                subscription.reset(position)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("hub.crashed", exc_info=error)
        for subscription in list(self._subscriptions):
            subscription.fail(_stopping())


def _unfollowed() -> Unavailable:
    return Unavailable("the feed of changes is stopping or starting again: try again in a moment")


def _stopping() -> Unavailable:
    return Unavailable("the server is stopping: resume elsewhere")
