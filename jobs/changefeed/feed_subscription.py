"""A subscription to the change feed: reads a replay, then the ring, then live changes."""

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

RING_BATCH_SIZE: Final = 500  # changes matched without yielding to the event loop: about 1 ms
MAX_BATCH_SIZE: Final = 1_000  # a reader loads the objects of a batch in one query
POLL_S: Final = 0.05  # how often `catch_up` checks the feed's position


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """The matches since the last batch; empty after a timeout."""

    matched: Sequence[MatchedChange]
    position: Position
    """The position up to which all matches have been returned."""
    time: ClusterTime = BEGINNING
    """The cluster time up to which all matches have been returned; BEGINNING if unknown."""
    reset: bool = False
    """Whether changes were lost, so that the reader must reload its state."""


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
    """The matching changes after a position, each exactly once and in order, for one reader.

    It is in one of three states:
    - reading the ring, the first state: with its last part, it becomes live;
    - replaying, as a listener of a replay, if the ring no longer has its position: at the end, it
      reads the ring;
    - live, as a listener of the feed's index: it buffers unread matches while the ring has them;
      after an overflow, it reads the ring again, or replays.

    A reset moves it to the ring, at the feed's position; an error ends it. Both are reported first.
    """

    def __init__(self, feed: FeedView, change_filter: ChangeFilter, after: Position) -> None:
        self.change_filter = change_filter
        self.position = after
        self._feed = feed
        self._unread: list[MatchedChange] = []
        self._is_live = False
        self._has_overflowed = False
        self._is_replaying = False
        self._replay_end: ReplayEnd | None = None
        self._is_reset = False
        self._error: OstinatoError | None = None
        self._target: Position | None = None
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
        """End the subscription; idempotent."""
        self._detach()
        self._feed.forget(self)

    async def next(self, within_s: float) -> ChangeBatch:
        """Return the next batch, after at most `within_s`; raises HistoryLost or SlowConsumer."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (batch := await self._step(deadline)) is None:
            pass
        return batch

    async def catch_up(self, until: ClusterTime = BEGINNING) -> ChangeBatch | None:
        """Return the next batch, or None once all matches up to a target have been returned.

        The target is the feed's position at the first call at which the feed has reached `until`.
        Later changes do not move it: otherwise the reader would never catch up under load.
        """
        batch = None
        while batch is None and not self._has_caught_up(until):
            batch = await self._step(asyncio.get_running_loop().time() + POLL_S)
            if batch is not None and not batch.matched and not batch.reset:
                batch = None
        return batch

    def on_changes(self, matched: Sequence[MatchedChange]) -> None:
        """Buffer matches; called by the index of the feed or of a replay."""
        if self._is_live and self._unread and not self._ring_has_all_unread():
            self._has_overflowed = True
        new = [each for each in matched if each.change.position > self.position]
        if self._has_overflowed:
            self._unread = []
        elif new:
            self._unread += new
            self._drained.clear()
        self._changed.set()

    def reset(self, position: Position) -> None:
        """Report a reset and continue at `position`; called by the feed."""
        self._detach()
        self.position = position
        self._target = None
        self._is_reset = True
        self._changed.set()

    def fail(self, error: OstinatoError) -> None:
        """End the subscription with an error; called by the feed."""
        self._detach()
        self._error = error
        self._changed.set()

    def end_replay(self, end: ReplayEnd) -> None:
        """Record the result of the replay; called by the replay."""
        self._replay_end = end
        self._changed.set()

    async def wait_until_drained(self) -> None:
        """Wait until all buffered matches have been read."""
        await self._drained.wait()

    @property
    def _is_interrupted(self) -> bool:
        """Whether there is a reset or an error to report, which takes precedence."""
        return self._is_reset or self._error is not None

    def _ring_has_all_unread(self) -> bool:
        return self._unread[0].change.position > self._feed.ring.start

    def _has_caught_up(self, until: ClusterTime) -> bool:
        if self._is_reset:
            return False
        if self._is_live and not self._unread and not self._has_overflowed:
            self.position = max(self.position, self._feed.position)
        if self._target is None and self._feed.time >= until:
            self._target = self._feed.position
        # A cursor may come from a process that is ahead of this one: wait for this feed.
        return self._target is not None and self._target <= self.position <= self._feed.position

    async def _step(self, deadline: float) -> ChangeBatch | None:
        """Take the next step in the current state; None: the state changed, so call again."""
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
            # Checked after the await, during which the ring may have dropped changes.
            if self._feed.ring.covers(self.position):
                return self._take_from_ring()
        return await self._take_replayed(deadline)

    def _take_from_ring(self) -> ChangeBatch | None:
        """Read the next part of the ring. After the last part, go live without an await, so that no
        change is missed."""
        key = self.change_filter.partition_key
        changes = self._feed.ring.after(key, self.position, RING_BATCH_SIZE)
        if len(changes) < RING_BATCH_SIZE:
            self.position = max(self.position, self._feed.position)
            self._feed.index.join(self.change_filter, self)
            self._is_live = True
        else:
            self.position = changes[-1].position
        matched = [m for change in changes if (m := match(self.change_filter, change)) is not None]
        return self._batch(matched) if matched else None

    async def _take_live(self, deadline: float) -> ChangeBatch | None:
        """Read buffered matches, including any that arrived as the wait timed out."""
        timed_out = False
        if not self._unread and not self._has_overflowed:
            timed_out = not await self._wait(deadline)
        if not self._is_live:
            return None
        if self._has_overflowed:
            self._detach()
            return None
        matched = self._take_unread()
        if not self._unread:
            self.position = max(self.position, self._feed.position)
        return self._batch(matched) if matched or timed_out else None

    async def _take_replayed(self, deadline: float) -> ChangeBatch | None:
        if not self._is_replaying:
            self._is_replaying = True
            self._feed.replays.join(self)
        timed_out = False
        if not self._unread and self._replay_end is None:
            timed_out = not await self._wait(deadline)
        if not self._is_replaying:
            return None
        if self._unread:
            return self._batch(self._take_unread())
        if self._replay_end is not None:
            self._finish_replay(self._replay_end)
            return None
        return self._batch(()) if timed_out else None

    def _finish_replay(self, end: ReplayEnd) -> None:
        """Continue in the ring at the end of the replay; raises the error of a failed replay."""
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
        """Wait for the next event; return False after the deadline."""
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
        """Stop listening and drop unread matches, to be read again from the ring or a replay."""
        self._feed.index.leave(self.change_filter, self)
        if self._is_replaying:
            self._feed.replays.leave(self)
        self._is_live = self._has_overflowed = self._is_replaying = False
        self._replay_end = None
        self._unread = []
        self._drained.set()
