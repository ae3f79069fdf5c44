"""Broadcasts: send the results of one execution to many subscribers, buffered for slow ones.

The results come from an async generator of `subscription_runner`, which executes them. A broadcast
first sends missed changes at the pace of its subscribers, then sends live changes. It retains its
newest results, so that a client can resume without a new execution.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Final, Protocol, TypeAlias

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import Unavailable
from ostinato.resolvers.live.live_query import Reset, ResumePoint
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.result_buffer import (
    MAX_WRITE_BATCH_BYTES,
    WRITE_BATCH_SIZE,
    BufferLimits,
    PositionedResult,
    ResultBuffer,
)
from ostinato.schema.fanout.turn_limiter import TurnLimiter

JOIN_WAIT_S: Final = 0.01  # waits this long for the next subscriber before the catch-up
MAX_JOIN_WAIT_S: Final = 1.0  # in total, while subscribers keep joining
CATCH_UP_BATCH_S: Final = 0.01  # collects results of the catch-up into one write
MAX_DELAY_S: Final = 5.0  # total time that slow subscribers may delay the catch-up of others

ExecutedItem: TypeAlias = PositionedResult | ResumePoint | Reset
"""An item of a live query, with its message executed."""
ExecutedItems: TypeAlias = AsyncGenerator[ExecutedItem, None]


class BroadcastSubscriber(Protocol):
    """A subscriber, as its broadcast sees it: all calls return without waiting."""

    number: int
    """The number of the next result that it reads from the buffer."""

    def send(self, batch: FrameBatch, fresh: Sequence[PositionedResult], end_number: int) -> bool:
        """Push the results below `end_number`; return False if the buffer must be read."""

    def wake(self) -> None:
        """Resume reading from the buffer."""

    def evict(self, unread: Iterable[PositionedResult]) -> None:
        """Fail, or coalesce the results in `unread`, because the buffer drops them."""

    def skip_to_newest(self, fresh: Iterable[PositionedResult]) -> None:
        """Add new results to those that it coalesces."""


class Broadcast:
    """Delivers the results of one execution to its subscribers."""

    def __init__(
        self, start: ResumePoint, limits: BufferLimits, execution_limiter: TurnLimiter
    ) -> None:
        self.is_live = False
        """Whether catch-up is complete: new changes are sent as they happen."""
        self.flushed = 0
        """The end of the flushed results (exclusive): subscribers can read lower numbers."""
        self.ended_with: ResumePoint | Reset | None = None
        """How it ended: the position to continue from in another broadcast, or a reset."""
        self.error: Exception | None = None
        self.has_ended = False
        self._start = start
        self._has_started = False
        self._limits = limits
        self._execution_limiter = execution_limiter
        self._buffer = ResultBuffer(start.position, limits)
        self._unflushed_bytes = 0
        self._flush_handle: asyncio.Handle | None = None
        self._waiting: dict[BroadcastSubscriber, None] = {}
        """Subscribers that have read all flushed results."""
        self._reading: set[BroadcastSubscriber] = set()
        """Subscribers with unread results in the buffer."""
        self._evicted: set[BroadcastSubscriber] = set()
        """Subscribers whose unread results the buffer has dropped."""
        self._progressed = asyncio.Event()
        self._delay_left_s = MAX_DELAY_S
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._reading) + len(self._evicted)

    @property
    def limit(self) -> int:
        """The maximum number of results buffered for a slow subscriber."""
        return self._limits.results

    @property
    def buffered_bytes(self) -> int:
        return self._buffer.size_bytes

    def covers(self, position: Position) -> bool:
        """Return whether this broadcast has, or will have, every result after `position`."""
        return not self.has_ended and (
            not self._has_started or self._buffer.start_position <= position
        )

    def start_at(self, start: ResumePoint) -> None:
        """Move the start back to `start` if that is earlier; no effect once running."""
        if not self._has_started and start.position < self._buffer.start_position:
            self._start, self._buffer.start_position = start, start.position

    def starts_before(self, position: Position) -> bool:
        return self._start.position < position

    def number_after(self, position: Position) -> int:
        """Return the number of the first result after `position`."""
        return min(self._buffer.number_after(position), self.flushed)

    def write_batch_from(self, number: int) -> Sequence[PositionedResult]:
        """Return the flushed results from `number` on, up to one write batch."""
        return self._buffer.write_batch(number, self.flushed)

    def at(self, number: int) -> PositionedResult:
        return self._buffer[number]

    def add(self, subscriber: BroadcastSubscriber) -> None:
        """Add a subscriber, and retain the results from its `number` on."""
        self._evicted.discard(subscriber)
        self._reading.add(subscriber)
        self._progressed.set()

    def remove(self, subscriber: BroadcastSubscriber) -> None:
        self._waiting.pop(subscriber, None)
        self._reading.discard(subscriber)
        self._evicted.discard(subscriber)
        self.on_progress()

    def mark_waiting(self, subscriber: BroadcastSubscriber) -> None:
        """Record that a subscriber has read all flushed results and is waiting."""
        self._reading.discard(subscriber)
        self._waiting[subscriber] = None
        self.on_progress()

    def mark_reading(self, subscriber: BroadcastSubscriber) -> None:
        """Record that a waiting subscriber reads from the buffer again."""
        if subscriber in self._waiting:
            del self._waiting[subscriber]
            self._reading.add(subscriber)

    def on_progress(self) -> None:
        """Record that a subscriber has read a result or has left."""
        self._progressed.set()
        if not self._reading:
            self._trim()

    async def run(
        self, items_after: Callable[[ResumePoint], ExecutedItems], may_go_live: Callable[[], bool]
    ) -> None:
        """Send the missed changes; then go live if `may_go_live`, otherwise end."""
        await self._wait_for_joiners()
        await self._send_all(items_after(self._start), may_go_live)

    async def run_snapshot(self, items: ExecutedItems) -> None:
        """Send the results of a snapshot, then end."""
        self._has_started = True
        await self._send_all(items, lambda: False)

    def close(self, error: Exception | None) -> None:
        """End the broadcast: subscribers read the remaining results, then how it ended."""
        self.error, self.has_ended = error, True
        self._flush()
        for subscriber in self._waiting:
            subscriber.wake()

    async def _wait_for_joiners(self) -> None:
        """Wait while subscribers keep joining, so that they share one catch-up."""
        deadline, subscribers = self._loop.time() + MAX_JOIN_WAIT_S, 0
        while len(self) != subscribers and self._loop.time() < deadline:
            subscribers = len(self)
            await asyncio.sleep(JOIN_WAIT_S)
        self._has_started = True

    async def _send_all(self, items: ExecutedItems, may_go_live: Callable[[], bool]) -> None:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, PositionedResult):
                    await self._send(item)
                elif isinstance(item, ResumePoint) and may_go_live():
                    self.is_live = True
                else:
                    self.ended_with = item
                    return

    async def _send(self, result: PositionedResult) -> None:
        if self._unflushed_bytes + result.size_bytes > MAX_WRITE_BATCH_BYTES:
            await self._send_write_batch()
        self._append(result)
        if self._buffer.end_number - self.flushed >= WRITE_BATCH_SIZE:
            await self._send_write_batch()
        if not self.is_live:
            await self._execution_limiter.wait_turn()
            await self._wait_for_slowest()

    async def _send_write_batch(self) -> None:
        self._flush()
        await asyncio.sleep(0)

    def _append(self, result: PositionedResult) -> None:
        self._buffer.append(result)
        self._unflushed_bytes += result.size_bytes
        if self._flush_handle is None and self.is_live:
            self._flush_handle = self._loop.call_soon(self._flush)
        elif self._flush_handle is None:
            self._flush_handle = self._loop.call_later(CATCH_UP_BATCH_S, self._flush)

    def _flush(self) -> None:
        """Push new results to waiting subscribers, and make them available to the others."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        fresh = self._buffer.between(self.flushed, self._buffer.end_number)
        if not fresh:
            return
        self.flushed += len(fresh)
        self._unflushed_bytes = 0
        batch = FrameBatch([result.encoded.payload for result in fresh])
        for subscriber in tuple(self._waiting):
            if not subscriber.send(batch, fresh, self.flushed):
                self.mark_reading(subscriber)
                subscriber.wake()
        for subscriber in self._evicted:
            subscriber.skip_to_newest(fresh)
        self._trim()
        while self.is_live and self._buffer.is_full():
            self._evict_slowest()

    async def _wait_for_slowest(self) -> None:
        """Wait for slow subscribers while the buffer is full.

        Evicts the slowest once the others have waited MAX_DELAY_S in total.
        """
        while self._buffer.is_full():
            self._flush()
            self._trim()
            others_wait = bool(self._waiting) or len({each.number for each in self._reading}) > 1
            if self._buffer.is_full() and others_wait and self._delay_left_s <= 0:
                self._evict_slowest()
            elif self._buffer.is_full():
                waited_s = await self._wait_for_progress(
                    self._delay_left_s if others_wait else None
                )
                self._delay_left_s -= waited_s if others_wait else 0

    async def _wait_for_progress(self, within_s: float | None) -> float:
        """Wait at most `within_s` for a subscriber's progress; return the elapsed seconds."""
        self._progressed.clear()
        started = self._loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._progressed.wait()
        return self._loop.time() - started

    def _trim(self) -> None:
        """Drop results that every subscriber has read, except those retained for resuming."""
        self._buffer.trim(min((each.number for each in self._reading), default=self.flushed))

    def _evict_slowest(self) -> None:
        """Drop the oldest result, and evict the subscribers that have not read it."""
        for subscriber in [
            each for each in self._reading if each.number == self._buffer.first_number
        ]:
            self._reading.discard(subscriber)
            self._evicted.add(subscriber)
            subscriber.evict(self._buffer)
        self._buffer.drop_oldest()


def task_error(task: asyncio.Task[None]) -> Exception | None:
    """Return the error that the subscribers of a finished task receive; None on success."""
    if task.cancelled():
        return Unavailable("the server is stopping: reconnect and resume")
    error = task.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
