"""Finds a group for each subscription: one that still has what it missed, or a new one.

Of each kind one group tells what happens; beside it there are others only while they catch up.
"""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator
from functools import partial
from itertools import chain

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.messages import Joint
from ostinato.schema.fanout.broadcast import Broadcast, Source
from ostinato.schema.fanout.fair_share import DELIVERIES_PER_TURN, FairShare
from ostinato.schema.fanout.replay_buffer import BufferLimits
from ostinato.schema.fanout.snapshots import SharedSnapshots
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.fanout.task_error import task_error


class BroadcastRegistry:
    """The groups of a process, by what makes them tell the same."""

    def __init__(self, limit: int) -> None:
        self.limits = BufferLimits(limit)
        """What all of them may keep."""
        self._groups: defaultdict[Hashable, list[Broadcast]] = defaultdict(list)
        self._tasks: dict[Broadcast, asyncio.Task[None]] = {}
        self.turns = FairShare()
        """Of what is executed for those who begin or catch up."""
        self._deliveries = FairShare(DELIVERIES_PER_TURN)
        self.snapshots = SharedSnapshots(self.limits, self.turns, self._deliveries)

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Broadcast]:
        return chain.from_iterable(self._groups.values())

    def join(
        self, key: Hashable, joint: Joint, source: Source, reader: DeliveryOptions
    ) -> Subscriber:
        """Become a member, to be told what comes behind the joint. Leave in the end."""
        group = self._covering(key, joint.position) or self._found(key, joint, source)
        return Subscriber(group, joint, reader, self._deliveries)

    def leave(self, member: Subscriber) -> None:
        """Stop being a member; the last ends the group."""
        group = member.group
        group.remove(member)
        if not len(group) and (task := self._tasks.get(group)) is not None:
            group.has_ended = True
            task.cancel()

    async def aclose(self) -> None:
        """End all groups, and what begins."""
        await self.snapshots.aclose()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _covering(self, key: Hashable, position: Position) -> Broadcast | None:
        """Find a group that has all that is missed; rather the live one."""
        found = [group for group in self._groups.get(key, ()) if group.covers(position)]
        return max(found, key=lambda group: group.is_live, default=None)

    def _found(self, key: Hashable, joint: Joint, source: Source) -> Broadcast:
        group = Broadcast(joint, self.limits, self.turns)
        self._groups[key].append(group)
        self.limits.groups += 1
        task = asyncio.create_task(group.run(source, partial(self._has_no_live, key)))
        task.add_done_callback(partial(self._end, key, group))
        self._tasks[group] = task
        return group

    def _has_no_live(self, key: Hashable) -> bool:
        return not any(group.is_live and not group.has_ended for group in self._groups[key])

    def _end(self, key: Hashable, group: Broadcast, task: asyncio.Task[None]) -> None:
        del self._tasks[group]
        self.limits.groups -= 1
        self._groups[key].remove(group)
        if not self._groups[key]:
            del self._groups[key]
        group.end(task_error(task))
