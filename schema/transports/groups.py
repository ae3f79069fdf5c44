"""Executes a change once for all who watch the same, and keeps what the slower have yet to take.

A member joins where its own way has come to: what the group tells up to there is skipped, what
comes behind is in the group's log. So nothing is missed and nothing comes twice.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import TypeAlias

from jobs.errors import Unavailable
from resolvers.changes import Joint, Leg
from schema.transports.frames import Batch
from schema.transports.members import Member, Push, Told
from schema.transports.turns import Turns

BURST = 100  # results executed before anybody else's turn, and sent in one write
LOG_BYTES = 8_388_608  # what a group keeps for its slower members

Source: TypeAlias = Callable[[Leg], AsyncGenerator[Told, None]]


class Group:
    """Those who are sent the same bytes, from one source."""

    def __init__(self, begins_at: Joint, limit: int) -> None:
        self.position = begins_at.position
        """Everything up to here was told, or is in the log."""
        self.limit = limit
        """Most results that wait for a slow member."""
        self.flushed = 0
        """The number of the next result; those before can be taken."""
        self.error: Exception | None = None
        self.was_reset = False
        self.has_ended = False
        self._log: deque[Told] = deque()
        self._log_bytes = 0
        self._first = 0
        self._flush_handle: asyncio.Handle | None = None
        self._idle: dict[Member, None] = {}
        self._busy: set[Member] = set()
        self._behind: set[Member] = set()
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._behind)

    def at(self, number: int) -> Told:
        return self._log[number - self._first]

    def add(self, member: Member) -> None:
        """Keep the log from the member's number on."""
        self._behind.discard(member)
        self._busy.add(member)

    def remove(self, member: Member) -> None:
        self._idle.pop(member, None)
        self._busy.discard(member)
        self._behind.discard(member)
        self._forget_if_all_rest()

    def rest(self, member: Member) -> None:
        """Note that a member has taken everything, and waits."""
        self._busy.discard(member)
        self._idle[member] = None
        self._forget_if_all_rest()

    def rise(self, member: Member) -> None:
        """Note that a member no longer waits, and takes from the log."""
        if member in self._idle:
            del self._idle[member]
            self._busy.add(member)

    async def run(self, told: AsyncGenerator[Told, None], leg: Leg) -> None:
        """Take results from the source until it ends."""
        async with aclosing(told):
            async for each in told:
                self._append(each)
                if self._first + len(self._log) - self.flushed >= BURST:
                    self._flush()
                    await asyncio.sleep(0)
        self.was_reset = leg.was_reset

    def end(self, error: Exception | None) -> None:
        """Let the members take what is there, and tell them how it ended."""
        self.error, self.has_ended = error, True
        self._flush()
        for member in self._idle:
            member.wake()

    def _append(self, told: Told) -> None:
        self._log.append(told)
        self._log_bytes += len(told.encoded.payload)
        self.position = told.place.position
        if self._flush_handle is None:
            self._flush_handle = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what is new to those who have all before it; let the others know."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        fresh = list(islice(self._log, self.flushed - self._first, None))
        if not fresh:
            return
        self.flushed += len(fresh)
        batch = Batch([told.encoded.payload for told in fresh])
        for member in tuple(self._idle):
            if not member.send(batch, fresh, self.flushed):
                self.rise(member)
                member.wake()
        for member in self._behind:
            member.skip_to_newest(fresh)
        self._forget_taken()

    def _forget_taken(self) -> None:
        """Forget what everybody has taken; whoever is too far behind loses the log."""
        needed = min((member.number for member in self._busy), default=self.flushed)
        while self._first < needed:
            self._drop()
        while len(self._log) > self.limit or self._log_bytes > LOG_BYTES:
            for member in [each for each in self._busy if each.number == self._first]:
                self._busy.discard(member)
                self._behind.add(member)
                member.fall_behind(self._log)
            self._drop()

    def _forget_if_all_rest(self) -> None:
        if not self._busy:
            while self._first < self.flushed:
                self._drop()

    def _drop(self) -> None:
        self._log_bytes -= len(self._log.popleft().encoded.payload)
        self._first += 1


class Groups:
    """The groups of a process, by what makes them tell the same."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: dict[Hashable, Group] = {}
        self._tasks: dict[Group, asyncio.Task[None]] = {}
        self.turns = Turns()
        """Of those who still catch up, each by itself."""

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def join(self, key: Hashable, joint: Joint, source: Source, push: Push | None) -> Member:
        """Become a member; the first makes the group. Leave it in the end."""
        group = self._groups.get(key)
        if group is None or group.has_ended:
            group = self._groups[key] = Group(joint, self._limit)
            leg = Leg(begins_at=joint, ends_at_reset=True)
            task = asyncio.create_task(group.run(source(leg), leg))
            task.add_done_callback(partial(self._end, key, group))
            self._tasks[group] = task
        return Member(group, push)

    def leave(self, member: Member) -> None:
        """Stop being a member; the last ends the group."""
        group = member.group
        group.remove(member)
        if not len(group) and (task := self._tasks.get(group)) is not None:
            group.has_ended = True
            task.cancel()

    async def aclose(self) -> None:
        """End all groups."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: Hashable, group: Group, task: asyncio.Task[None]) -> None:
        del self._tasks[group]
        if self._groups.get(key) is group:
            del self._groups[key]
        group.end(_error_of(task))


def _error_of(task: asyncio.Task[None]) -> Exception | None:
    if task.cancelled():
        return Unavailable("the server is stopping: resume elsewhere")
    error = task.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
