"""Snapshots that equal subscriptions share: each is read and executed once, then ends."""

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.live_query import ResumePoint
from ostinato.schema.fanout.broadcast import Broadcast, ExecutedItems, task_error
from ostinato.schema.fanout.result_buffer import BufferLimits
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.fanout.turn_limiter import TurnLimiter

START: Final = ResumePoint(position=Position(""))


class SharedSnapshots:
    """The snapshots of a process: per key, at most one is being sent and one is queued.

    A snapshot is read and executed once, for all subscribers that joined before it started.
    """

    def __init__(
        self, limits: BufferLimits, execution_limiter: TurnLimiter, delivery_limiter: TurnLimiter
    ) -> None:
        self._limits = limits
        self._execution_limiter = execution_limiter
        self._delivery_limiter = delivery_limiter
        self._sending: dict[Hashable, asyncio.Task[None]] = {}
        self._waiting: dict[Hashable, Broadcast] = {}
        self._tasks: dict[Broadcast, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def join(
        self, key: Hashable, execute: Callable[[], ExecutedItems], options: DeliveryOptions
    ) -> Subscriber:
        """Subscribe to a snapshot that has not started; the caller must `leave` at the end."""
        broadcast = self._waiting.get(key) or self._start(key, execute)
        return Subscriber(broadcast, START, options, self._delivery_limiter)

    def leave(self, key: Hashable, subscriber: Subscriber) -> None:
        """Remove a subscriber; without subscribers, the snapshot ends."""
        broadcast = subscriber.broadcast
        broadcast.remove(subscriber)
        if not len(broadcast):
            if self._waiting.get(key) is broadcast:
                del self._waiting[key]
            if (task := self._tasks.get(broadcast)) is not None:
                task.cancel()

    async def aclose(self) -> None:
        """End all snapshots."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: Hashable, execute: Callable[[], ExecutedItems]) -> Broadcast:
        broadcast = self._waiting[key] = Broadcast(START, self._limits, self._execution_limiter)
        task = asyncio.create_task(self._send(key, broadcast, execute))
        task.add_done_callback(partial(self._end, key, broadcast))
        self._tasks[broadcast] = task
        return broadcast

    async def _send(
        self, key: Hashable, broadcast: Broadcast, execute: Callable[[], ExecutedItems]
    ) -> None:
        while (previous := self._sending.get(key)) is not None:
            await asyncio.wait({previous})
        self._sending[key] = self._tasks[broadcast]
        del self._waiting[key]
        await broadcast.run_snapshot(execute())

    def _end(self, key: Hashable, broadcast: Broadcast, task: asyncio.Task[None]) -> None:
        del self._tasks[broadcast]
        if self._sending.get(key) is task:
            del self._sending[key]
        if self._waiting.get(key) is broadcast:
            del self._waiting[key]
        broadcast.close(task_error(task))
