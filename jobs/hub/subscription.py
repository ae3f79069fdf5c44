"""One reader's way through history: from a catch-up stream, through the ring, to the live end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ostinato.jobs.changes import BEGINNING, ClusterTime, Position
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.hub.buffer import Buffer
from ostinato.jobs.hub.catch_up import CatchUps
from ostinato.jobs.hub.feed import Feed
from ostinato.jobs.hub.groups import Groups
from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.hub.watch import Notice, Watch, judge

CHUNK_CHANGES = 500  # looked at in one go: about 1 ms
SETTLE_S = 0.05  # how often to see whether the hub has come up to the present


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What happened since the last delivery; without notices when nothing did in time."""

    notices: Sequence[Notice]
    position: Position
    """Everything watched up to here has been delivered."""
    time: ClusterTime = BEGINNING
    """Everything watched that was committed up to then has been delivered, if that is known."""
    reset: bool = False
    """Whether documents went away unannounced: what the reader knows is worth nothing."""


class Source(Protocol):
    """What a subscription needs of the hub."""

    ring: Ring
    groups: Groups
    catch_ups: CatchUps
    position: Position
    time: ClusterTime

    def forget(self, subscription: "Subscription") -> None: ...

    async def has_read(self, deadline: float) -> bool: ...


class Subscription:
    """Read the changes behind a position, each once and in order. For one reader at a time."""

    def __init__(self, source: Source, watch: Watch, after: Position, buffer: Buffer) -> None:
        self._source = source
        self._watch = watch
        self._buffer = buffer
        self._feed: Feed | None = None
        self._live = False
        self._was_reset = False
        self._error: OstinatoError | None = None
        self._present: Position | None = None
        self._woken = asyncio.Event()
        self.position = after

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave nothing behind; harmless when repeated."""
        self._stop_listening()
        self._source.forget(self)

    def offer(self, notices: Sequence[Notice]) -> None:
        """Take what the group has judged; called by the hub."""
        self._buffer.put(notices)
        self._woken.set()

    def reset(self, position: Position) -> None:
        """Say so, and start again there; called by the hub."""
        self._stop_listening()
        self._buffer.clear()
        self.position = position
        self._present = None
        self._was_reset = True
        self._woken.set()

    def fail(self, error: OstinatoError) -> None:
        """End the subscription; called by the hub."""
        self._stop_listening()
        self._error = error
        self._woken.set()

    async def next(self, within_s: float) -> Delivery:
        """Wait for the next delivery, at most `within_s`; raises HistoryLost and SlowConsumer."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (delivery := await self._step(deadline)) is None:
            pass
        return delivery

    async def catch_up(self, present: ClusterTime = BEGINNING) -> Delivery | None:
        """Wait for a delivery; None once all is delivered that was committed up to `present` and
        handed out when the hub had come that far: what happens meanwhile is not waited for, or a
        crowd that catches up under load never would."""
        delivery = None
        while delivery is None and not self._has_arrived(present):
            delivery = await self._step(asyncio.get_running_loop().time() + SETTLE_S)
            if delivery is not None and not delivery.notices and not delivery.reset:
                delivery = None
        return delivery

    @property
    def _is_interrupted(self) -> bool:
        """Tell whether the hub has reset or failed it meanwhile, which goes before all else."""
        return self._was_reset or self._error is not None

    def _has_arrived(self, present: ClusterTime) -> bool:
        if self._was_reset:
            return False
        if self._live and not self._buffer and not self._buffer.overflowed:
            self.position = max(self.position, self._source.position)
        if self._present is None and self._source.time >= present:
            self._present = self._source.position
        # Who comes from a server that is ahead of this one waits until the hub is there, too.
        return self._present is not None and self._present <= self.position <= self._source.position

    async def _step(self, deadline: float) -> Delivery | None:
        if self._error is not None:
            raise self._error
        if self._was_reset:
            self._was_reset = False
            return Delivery(notices=(), position=self.position, reset=True)
        if self._live:
            return await self._take_live(deadline)
        if self._feed is None:
            await asyncio.sleep(0)
            has_read = await self._source.has_read(deadline)
            if self._is_interrupted:
                return None
            if not has_read:
                return self._delivery(())
            # Not before: what the ring holds now, it may have dropped after a turn of the others.
            if self._source.ring.covers(self.position):
                return self._take_from_ring()
        return await self._take_caught_up(deadline)

    def _take_from_ring(self) -> Delivery | None:
        """Read on in the ring; at its end, without a pause in between, go live."""
        changes = self._source.ring.after(self._watch.key, self.position, CHUNK_CHANGES)
        if len(changes) < CHUNK_CHANGES:
            self.position = max(self.position, self._source.position)
            self._source.groups.join(self._watch, self)
            self._live = True
        else:
            self.position = changes[-1].position
        notices = [n for change in changes if (n := judge(self._watch, change)) is not None]
        return self._delivery(notices) if notices else None

    async def _take_live(self, deadline: float) -> Delivery | None:
        """Take what waits; whatever came while waiting, or at its very end, waits by then."""
        has_passed = False
        if not self._buffer and not self._buffer.overflowed:
            has_passed = not await self._wake_up(deadline)
        if not self._live:
            return None
        if self._buffer.overflowed:
            self._stop_listening()
            self._buffer.clear()
            return None
        behind = self.position
        notices = [n for n in self._buffer.take() if n.change.position > behind]
        self.position = max(behind, self._source.position)
        return self._delivery(notices) if notices or has_passed else None

    async def _take_caught_up(self, deadline: float) -> Delivery | None:
        feed = self._feed
        if feed is None:
            feed = self._feed = self._source.catch_ups.start(self._watch, self.position)
        try:
            async with asyncio.timeout_at(deadline):
                notices = await feed.take()
        except TimeoutError:
            return self._delivery(())
        if self._feed is not feed:
            return None
        if notices:
            self.position = notices[-1].change.position
            return self._delivery(notices)
        self._stop_listening()
        if feed.vanished:
            self.reset(self._source.position)
        elif feed.arrived_at is not None:
            self.position = feed.arrived_at
        return None

    async def _wake_up(self, deadline: float) -> bool:
        self._woken.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    def _delivery(self, notices: Sequence[Notice]) -> Delivery:
        time = self._source.time if self._live else BEGINNING
        return Delivery(notices=notices, position=self.position, time=time)

    def _stop_listening(self) -> None:
        self._live = False
        self._source.groups.leave(self._watch, self)
        if self._feed is not None:
            self._source.catch_ups.stop(self._feed)
            self._feed = None
