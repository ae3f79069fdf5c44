"""Sends the same results to many subscribers: each is executed once, and kept for the slow ones.

A broadcast first sends what its first subscribers missed, no faster than they take it, then what
happens. It retains its newest results, so that those who resume need not have them executed again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final, TypeAlias

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import Unavailable
from ostinato.resolvers.live.query import Reset, ResumePoint
from ostinato.schema.fanout.fair_share import FairShare
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.replay_buffer import (
    BURST_SIZE,
    MAX_BURST_BYTES,
    BufferLimits,
    EncodedEvent,
    ReplayBuffer,
)
from ostinato.schema.fanout.subscriber import Subscriber

GATHER_S: Final = 0.01  # a crowd keeps coming; what is caught up on is sent in bursts
MAX_GATHER_S: Final = 1.0
MAX_DELAY_S: Final = 5.0  # how long slow subscribers may hold up others who catch up, in all

ExecutedItem: TypeAlias = EncodedEvent | ResumePoint | Reset
ExecutedItems: TypeAlias = AsyncGenerator[ExecutedItem, None]


class Broadcast:
    """The subscribers that get the same bytes, from one execution."""

    def __init__(self, start: ResumePoint, limits: BufferLimits, executions: FairShare) -> None:
        self.is_live = False
        """Whether everything that was missed has been sent."""
        self.flushed = 0
        """The number of the next result; those before it can be taken."""
        self.end: ResumePoint | Reset | None = None
        """How it ended: where another broadcast continues, or with a reset."""
        self.error: Exception | None = None
        self.has_ended = False
        self._start = start
        self._has_started = False
        self._limits = limits
        self._executions = executions
        self._buffer = ReplayBuffer(start.position, limits)
        self._fresh_bytes = 0
        self._flush_handle: asyncio.Handle | None = None
        self._idle: dict[Subscriber, None] = {}
        self._busy: set[Subscriber] = set()
        self._overtaken: set[Subscriber] = set()
        self._progressed = asyncio.Event()
        self._delay_left_s = MAX_DELAY_S
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._overtaken)

    @property
    def limit(self) -> int:
        """The maximum of results that wait for a slow subscriber."""
        return self._limits.events

    def covers(self, position: Position) -> bool:
        """Return whether a subscriber can get everything after that position here."""
        return not self.has_ended and (
            not self._has_started or self._buffer.start_position <= position
        )

    def start_at(self, start: ResumePoint) -> None:
        """Start there, if that is earlier than the start so far and nothing was executed yet."""
        if not self._has_started and start.position < self._buffer.start_position:
            self._start, self._buffer.start_position = start, start.position

    def starts_before(self, position: Position) -> bool:
        return self._start.position < position

    def number_after(self, position: Position) -> int:
        """Return the number of the first result after that position."""
        return min(self._buffer.number_after(position), self.flushed)

    def burst_from(self, number: int) -> Sequence[EncodedEvent]:
        """Return a burst of what can be taken."""
        return self._buffer.burst(number, self.flushed)

    def at(self, number: int) -> EncodedEvent:
        return self._buffer[number]

    def add(self, subscriber: Subscriber) -> None:
        """Retain the results from the subscriber's number on."""
        self._overtaken.discard(subscriber)
        self._busy.add(subscriber)
        self._progressed.set()

    def remove(self, subscriber: Subscriber) -> None:
        self._idle.pop(subscriber, None)
        self._busy.discard(subscriber)
        self._overtaken.discard(subscriber)
        self.on_progress()

    def mark_idle(self, subscriber: Subscriber) -> None:
        """Note that a subscriber has taken everything, and waits."""
        self._busy.discard(subscriber)
        self._idle[subscriber] = None
        self.on_progress()

    def mark_busy(self, subscriber: Subscriber) -> None:
        """Note that a waiting subscriber takes from the buffer again."""
        if subscriber in self._idle:
            del self._idle[subscriber]
            self._busy.add(subscriber)

    def on_progress(self) -> None:
        """Note that a subscriber has taken something, or has left."""
        self._progressed.set()
        if not self._busy:
            self._trim()

    async def run(
        self, items_after: Callable[[ResumePoint], ExecutedItems], may_go_live: Callable[[], bool]
    ) -> None:
        """Send what was missed, then what happens unless another broadcast does that already."""
        await self._gather()
        await self._send_all(items_after(self._start), may_go_live)

    async def run_snapshot(self, items: ExecutedItems) -> None:
        """Send a snapshot."""
        self._has_started = True
        await self._send_all(items, lambda: False)

    def close(self, error: Exception | None) -> None:
        """End: the subscribers take what is left, then see how it ended."""
        self.error, self.has_ended = error, True
        self._flush()
        for subscriber in self._idle:
            subscriber.wake()

    async def _gather(self) -> None:
        """Wait for others who missed as much or more, while they keep coming."""
        deadline, subscribers = self._loop.time() + MAX_GATHER_S, 0
        while len(self) != subscribers and self._loop.time() < deadline:
            subscribers = len(self)
            await asyncio.sleep(GATHER_S)
        self._has_started = True

    async def _send_all(self, items: ExecutedItems, may_go_live: Callable[[], bool]) -> None:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, EncodedEvent):
                    await self._send(item)
                elif isinstance(item, ResumePoint) and may_go_live():
                    self.is_live = True
                else:
                    self.end = item
                    return

    async def _send(self, event: EncodedEvent) -> None:
        if self._fresh_bytes + event.size_bytes > MAX_BURST_BYTES:
            await self._send_burst()
        self._append(event)
        if self._buffer.end - self.flushed >= BURST_SIZE:
            await self._send_burst()
        if not self.is_live:
            await self._executions.wait_turn()
            await self._wait_for_the_slowest()

    async def _send_burst(self) -> None:
        self._flush()
        await asyncio.sleep(0)

    def _append(self, event: EncodedEvent) -> None:
        self._buffer.append(event)
        self._fresh_bytes += event.size_bytes
        if self._flush_handle is None and self.is_live:
            self._flush_handle = self._loop.call_soon(self._flush)
        elif self._flush_handle is None:
            self._flush_handle = self._loop.call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        """Send what is new to those who have everything before it, and inform the others."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        fresh = self._buffer.between(self.flushed, self._buffer.end)
        if not fresh:
            return
        self.flushed += len(fresh)
        self._fresh_bytes = 0
        batch = FrameBatch([event.encoded.payload for event in fresh])
        for subscriber in tuple(self._idle):
            if not subscriber.send(batch, fresh, self.flushed):
                self.mark_busy(subscriber)
                subscriber.wake()
        for subscriber in self._overtaken:
            subscriber.skip_to_newest(fresh)
        self._trim()
        while self.is_live and self._buffer.is_full():
            self._evict_slowest()

    async def _wait_for_the_slowest(self) -> None:
        """Evict nobody who catches up, unless others have waited for long enough."""
        while self._buffer.is_full():
            self._flush()
            self._trim()
            others_wait = bool(self._idle) or len({each.number for each in self._busy}) > 1
            if self._buffer.is_full() and others_wait and self._delay_left_s <= 0:
                self._evict_slowest()
            elif self._buffer.is_full():
                waited_s = await self._progress(self._delay_left_s if others_wait else None)
                self._delay_left_s -= waited_s if others_wait else 0

    async def _progress(self, within_s: float | None) -> float:
        """Wait until a subscriber makes progress; return how long it took."""
        self._progressed.clear()
        started = self._loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._progressed.wait()
        return self._loop.time() - started

    def _trim(self) -> None:
        """Drop what everyone has taken, but for what is retained for those who resume."""
        self._buffer.trim(min((each.number for each in self._busy), default=self.flushed))

    def _evict_slowest(self) -> None:
        """Drop the oldest result although the slowest subscribers have not taken it."""
        for subscriber in [each for each in self._busy if each.number == self._buffer.first]:
            self._busy.discard(subscriber)
            self._overtaken.add(subscriber)
            subscriber.evict(self._buffer)
        self._buffer.drop_oldest()


def task_error(task: asyncio.Task[None]) -> Exception | None:
    """Return the error that the task's subscribers get; None if it came to its end."""
    if task.cancelled():
        return Unavailable("the server is stopping: resume elsewhere")
    error = task.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
