"""Lets subscriptions that begin alike begin together: the rows of a snapshot are read and executed
once for all who asked before the read began.
"""

import asyncio
from collections.abc import Hashable
from functools import partial
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.messages import Joint, Leg
from ostinato.schema.fanout.broadcast import Broadcast, Source
from ostinato.schema.fanout.fair_share import FairShare
from ostinato.schema.fanout.replay_buffer import BufferLimits
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.fanout.task_error import task_error

START: Final = Joint(position=Position(""))


class SharedSnapshots:
    """Those of a process, by what makes them alike: one is told, and one waits for its end."""

    def __init__(self, room: BufferLimits, turns: FairShare, deliveries: FairShare) -> None:
        self._room = room
        self._turns = turns
        self._deliveries = deliveries
        self._telling: dict[Hashable, asyncio.Task[None]] = {}
        self._waiting: dict[Hashable, Broadcast] = {}
        self._tasks: dict[Broadcast, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def join(self, key: Hashable, leg: Leg, source: Source, reader: DeliveryOptions) -> Subscriber:
        """Become one of those who are told what begins now or later. Leave in the end."""
        group = self._waiting.get(key) or self._begin(key, leg, source)
        return Subscriber(group, START, reader, self._deliveries)

    def leave(self, key: Hashable, member: Subscriber) -> None:
        """Stop being told; the last ends it."""
        group = member.group
        group.remove(member)
        if not len(group):
            if self._waiting.get(key) is group:
                del self._waiting[key]
            if (task := self._tasks.get(group)) is not None:
                task.cancel()

    async def aclose(self) -> None:
        """End all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: Hashable, leg: Leg, source: Source) -> Broadcast:
        group = self._waiting[key] = Broadcast(START, self._room, self._turns)
        shared = Leg(starts_over=leg.starts_over, ends_at_joint=True)
        task = asyncio.create_task(self._tell(key, group, shared, source))
        task.add_done_callback(partial(self._end, key, group))
        self._tasks[group] = task
        return group

    async def _tell(self, key: Hashable, group: Broadcast, leg: Leg, source: Source) -> None:
        while (before := self._telling.get(key)) is not None:
            await asyncio.wait({before})
        self._telling[key] = self._tasks[group]
        del self._waiting[key]
        await group.begin(source, leg)

    def _end(self, key: Hashable, group: Broadcast, task: asyncio.Task[None]) -> None:
        del self._tasks[group]
        if self._telling.get(key) is task:
            del self._telling[key]
        if self._waiting.get(key) is group:
            del self._waiting[key]
        group.end(task_error(task))
