"""A cursor in the change feed: it reads the replay of old changes, then the ring, then live."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.matching import ChangeFilter, MatchedChange, match
from ostinato.jobs.changefeed.replay import ReplayEnd, ReplayPool
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import BEGINNING, ClusterTime, Position
from ostinato.jobs.errors import OstinatoError

RING_BATCH_SIZE: Final = 500  # changes matched without a pause: about 1 ms
MAX_BATCH_SIZE: Final = 1_000  # matches in one batch: a reader loads their objects in one find
POLL_S: Final = 0.05  # how often to check whether the feed has reached the present


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """What matched since the last batch; empty if nothing did in time."""

    matched: Sequence[MatchedChange]
    position: Position
    """All matches up to here have been returned."""
    time: ClusterTime = BEGINNING
    """All matches committed up to then have been returned, if that is known."""
    reset: bool = False
    """Whether documents vanished without a change: what the reader knows may be wrong."""


class FeedView(Protocol):
    """The part of the change feed that a subscription uses."""

    ring: Ring
    index: SubscriptionIndex
    replays: ReplayPool
    position: Position
    time: ClusterTime

    def forget(self, subscription: "FeedSubscription") -> None: ...

    async def ensure_decoded(self, deadline: float) -> bool: ...


class FeedSubscription:
    """Return the matching changes after a position, each once and in order. For one reader.

    Live, it notes unread matches only as long as the ring has them, too: a reader that is slower
    than that continues in a replay.
    """

    def __init__(self, feed: FeedView, wanted: ChangeFilter, after: Position) -> None:
        self.wanted = wanted
        self.position = after
        self._feed = feed
        self._unread: list[MatchedChange] = []
        self._is_live = False
        self._is_overtaken = False
        self._is_replaying = False
        self._replay_end: ReplayEnd | None = None
        self._is_reset = False
        self._error: OstinatoError | None = None
        self._present: Position | None = None
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

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
        """End the subscription; does nothing when it has ended."""
        self._detach()
        self._feed.forget(self)

    async def next(self, within_s: float) -> ChangeBatch:
        """Return the next batch, after at most `within_s`; raises HistoryLost and SlowConsumer."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (batch := await self._step(deadline)) is None:
            pass
        return batch

    async def catch_up(self, present: ClusterTime = BEGINNING) -> ChangeBatch | None:
        """Return the next batch, or None once everything committed up to `present` was returned.

        What happens in the meantime is not waited for: under load that would never end.
        """
        batch = None
        while batch is None and not self._has_caught_up(present):
            batch = await self._step(asyncio.get_running_loop().time() + POLL_S)
            if batch is not None and not batch.matched and not batch.reset:
                batch = None
        return batch

    def on_changes(self, matched: Sequence[MatchedChange]) -> None:
        """Note matches; called by the index of the feed or of a replay."""
        if self._is_live and self._unread and not self._has_ring_all_unread():
            self._is_overtaken = True
        new = [each for each in matched if each.change.position > self.position]
        if self._is_overtaken:
            self._unread = []
        elif new:
            self._unread += new
            self._drained.clear()
        self._changed.set()

    def reset(self, position: Position) -> None:
        """Report a reset and continue at `position`; called by the feed."""
        self._detach()
        self.position = position
        self._present = None
        self._is_reset = True
        self._changed.set()

    def fail(self, error: OstinatoError) -> None:
        """End the subscription with an error; called by the feed."""
        self._detach()
        self._error = error
        self._changed.set()

    def end_replay(self, end: ReplayEnd) -> None:
        """Note how the replay ended; called by it."""
        self._replay_end = end
        self._changed.set()

    async def drained(self) -> None:
        """Wait until everything noted was read."""
        await self._drained.wait()

    @property
    def _is_interrupted(self) -> bool:
        """Whether the feed has reset or failed it, which goes before everything else."""
        return self._is_reset or self._error is not None

    def _has_ring_all_unread(self) -> bool:
        return self._unread[0].change.position > self._feed.ring.start

    def _has_caught_up(self, present: ClusterTime) -> bool:
        if self._is_reset:
            return False
        if self._is_live and not self._unread and not self._is_overtaken:
            self.position = max(self.position, self._feed.position)
        if self._present is None and self._feed.time >= present:
            self._present = self._feed.position
        # A cursor from a process that is ahead of this one waits until this one has caught up.
        return self._present is not None and self._present <= self.position <= self._feed.position

    async def _step(self, deadline: float) -> ChangeBatch | None:
        if self._error is not None:
            raise self._error
        if self._is_reset:
            self._is_reset = False
            return ChangeBatch(matched=(), position=self.position, reset=True)
        if self._is_live:
            return await self._take_live(deadline)
        if not self._is_replaying:
            await asyncio.sleep(0)
            is_decoded = await self._feed.ensure_decoded(deadline)
            if self._is_interrupted:
                return None
            if not is_decoded:
                return self._batch(())
            # Checked here: other tasks ran meanwhile, and the ring may have dropped changes.
            if self._feed.ring.covers(self.position):
                return self._take_from_ring()
        return await self._take_replayed(deadline)

    def _take_from_ring(self) -> ChangeBatch | None:
        """Read the next part of the ring; go live at its end, in the same turn of the loop."""
        key = self.wanted.partition_key
        changes = self._feed.ring.after(key, self.position, RING_BATCH_SIZE)
        if len(changes) < RING_BATCH_SIZE:
            self.position = max(self.position, self._feed.position)
            self._feed.index.join(self.wanted, self)
            self._is_live = True
        else:
            self.position = changes[-1].position
        matched = [m for change in changes if (m := match(self.wanted, change)) is not None]
        return self._batch(matched) if matched else None

    async def _take_live(self, deadline: float) -> ChangeBatch | None:
        """Read what is unread, also if it came as the wait timed out."""
        has_waited = False
        if not self._unread and not self._is_overtaken:
            has_waited = not await self._wait(deadline)
        if not self._is_live:
            return None
        if self._is_overtaken:
            self._detach()
            return None
        matched = self._take_unread()
        if not self._unread:
            self.position = max(self.position, self._feed.position)
        return self._batch(matched) if matched or has_waited else None

    async def _take_replayed(self, deadline: float) -> ChangeBatch | None:
        if not self._is_replaying:
            self._is_replaying = True
            self._feed.replays.join(self)
        has_waited = False
        if not self._unread and self._replay_end is None:
            has_waited = not await self._wait(deadline)
        if not self._is_replaying:
            return None
        if self._unread:
            return self._batch(self._take_unread())
        if self._replay_end is not None:
            self._finish_replay(self._replay_end)
            return None
        return self._batch(()) if has_waited else None

    def _finish_replay(self, end: ReplayEnd) -> None:
        """Continue in the ring where the replay ended; raises the error that ended it."""
        self._detach()
        if end.error is not None:
            raise end.error
        if end.position is None:
            self.reset(self._feed.position)
        else:
            self.position = max(self.position, end.position)

    def _take_unread(self) -> Sequence[MatchedChange]:
        taken, self._unread = self._unread[:MAX_BATCH_SIZE], self._unread[MAX_BATCH_SIZE:]
        if taken:
            self.position = taken[-1].change.position
        if not self._unread:
            self._drained.set()
        return taken

    async def _wait(self, deadline: float) -> bool:
        """Wait until something is noted; return False after the deadline."""
        self._changed.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _batch(self, matched: Sequence[MatchedChange]) -> ChangeBatch:
        is_complete = self._is_live and not self._unread
        time = self._feed.time if is_complete else BEGINNING
        return ChangeBatch(matched=matched, position=self.position, time=time)

    def _detach(self) -> None:
        """Stop listening, and drop what is unread: it is read again from the ring or a replay."""
        self._feed.index.leave(self.wanted, self)
        if self._is_replaying:
            self._feed.replays.leave(self)
        self._is_live = self._is_overtaken = self._is_replaying = False
        self._replay_end = None
        self._unread = []
        self._drained.set()
