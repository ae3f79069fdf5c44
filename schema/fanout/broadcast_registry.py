"""Assigns each subscription to a broadcast that covers its position.

The caller passes the function that executes the results; a broadcast only delivers them. Per key,
one broadcast is live; the others are catching up.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from itertools import chain

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.live_query import ResumePoint
from ostinato.schema.fanout.broadcast import Broadcast, ExecutedItems, task_error
from ostinato.schema.fanout.result_buffer import BufferLimits
from ostinato.schema.fanout.shared_snapshots import SharedSnapshots
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.fanout.turn_limiter import DELIVERIES_PER_TURN, TurnLimiter


class BroadcastRegistry:
    """The broadcasts of a process, by broadcast key."""

    def __init__(self, max_results: int) -> None:
        self.limits = BufferLimits(max_results)
        """Buffer limits, shared by all broadcasts."""
        self.execution_limiter = TurnLimiter()
        """Limits the executions of snapshots and catch-up per turn of the event loop."""
        self._delivery_limiter = TurnLimiter(DELIVERIES_PER_TURN)
        self.snapshots = SharedSnapshots(
            self.limits, self.execution_limiter, self._delivery_limiter
        )
        self._broadcasts: defaultdict[Hashable, list[Broadcast]] = defaultdict(list)
        self._tasks: dict[Broadcast, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Broadcast]:
        return chain.from_iterable(self._broadcasts.values())

    def join(
        self,
        key: Hashable,
        start: ResumePoint,
        execute: Callable[[ResumePoint], ExecutedItems],
        options: DeliveryOptions,
    ) -> Subscriber:
        """Subscribe to the results after `start`; the caller must `leave` at the end.

        A new broadcast sends the results of `execute`.
        """
        broadcast = self._covering(key, start.position) or self._start(key, start, execute)
        return Subscriber(broadcast, start, options, self._delivery_limiter)

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; without subscribers, the broadcast ends."""
        broadcast = subscriber.broadcast
        broadcast.remove(subscriber)
        if not len(broadcast) and (task := self._tasks.get(broadcast)) is not None:
            broadcast.has_ended = True
            task.cancel()

    async def aclose(self) -> None:
        """End all broadcasts and snapshots."""
        await self.snapshots.aclose()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _covering(self, key: Hashable, position: Position) -> Broadcast | None:
        """Return a broadcast that covers `position`, preferably the live one."""
        found = [each for each in self._broadcasts.get(key, ()) if each.covers(position)]
        return max(found, key=lambda broadcast: broadcast.is_live, default=None)

    def _start(
        self, key: Hashable, start: ResumePoint, execute: Callable[[ResumePoint], ExecutedItems]
    ) -> Broadcast:
        broadcast = Broadcast(start, self.limits, self.execution_limiter)
        self._broadcasts[key].append(broadcast)
        self.limits.broadcasts += 1
        task = asyncio.create_task(broadcast.run(execute, partial(self._can_go_live, key)))
        task.add_done_callback(partial(self._end, key, broadcast))
        self._tasks[broadcast] = task
        return broadcast

    def _can_go_live(self, key: Hashable) -> bool:
        return not any(each.is_live and not each.has_ended for each in self._broadcasts[key])

    def _end(self, key: Hashable, broadcast: Broadcast, task: asyncio.Task[None]) -> None:
        del self._tasks[broadcast]
        self.limits.broadcasts -= 1
        self._broadcasts[key].remove(broadcast)
        if not self._broadcasts[key]:
            del self._broadcasts[key]
        broadcast.close(task_error(task))
