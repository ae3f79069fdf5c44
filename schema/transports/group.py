"""Tells many subscriptions the same: each result is executed once, and kept for who is behind.

A group first tells what its founder missed, no faster than its members take it, then what
happens. It keeps its newest results, so that who comes late can take them instead of having them
executed again.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from jobs.changes import Position
from resolvers.changes import Joint, Leg
from schema.transports.frames import Batch
from schema.transports.members import Member, Told
from schema.transports.turns import Turns

BURST: Final = 100  # results executed before anybody else's turn, and sent in one write
LOG_BYTES: Final = 8_388_608  # what a group keeps for its slower members
KEPT_BYTES: Final = 1_048_576  # what it keeps for who comes late
ALL_KEPT_BYTES: Final = 33_554_432  # the same, of all groups together
RESULT_BYTES: Final = 500  # what a result takes beside its payload
GATHER_S: Final = 0.02  # what is caught up is sent by the burst: nobody waits for the first of it
PATIENCE_S: Final = 5.0  # how long the slowest may hold up others who catch up, in all

Source: TypeAlias = Callable[[Leg], AsyncGenerator[Told, None]]


@dataclass(slots=True)
class Room:
    """How much the groups of a process may keep."""

    results: int
    """Of one group, for its slower members."""
    groups: int = 0

    @property
    def kept_bytes(self) -> int:
        return min(KEPT_BYTES, ALL_KEPT_BYTES // max(self.groups, 1))


class Group:
    """Those who are sent the same bytes, from one source."""

    def __init__(self, begins_at: Joint, room: Room, turns: Turns) -> None:
        self.kept_from = begins_at.position
        """Every result behind this is in the log, or still to come."""
        self.is_live = False
        """Whether what was missed has been told."""
        self.flushed = 0
        """The number of the next result; those before can be taken."""
        self.joint: Joint | None = None
        """Where it has ended because another group tells the rest."""
        self.error: Exception | None = None
        self.was_reset = False
        self.has_ended = False
        self._begins_at = begins_at
        self._room = room
        self._turns = turns
        self._log: deque[Told] = deque()
        self._log_bytes = 0
        self._first = 0
        self._flush_handle: asyncio.Handle | None = None
        self._idle: dict[Member, None] = {}
        self._busy: set[Member] = set()
        self._behind: set[Member] = set()
        self._moved = asyncio.Event()
        self._patience_s = PATIENCE_S
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._behind)

    @property
    def limit(self) -> int:
        """Most results that wait for a slow member."""
        return self._room.results

    def reaches(self, position: Position) -> bool:
        """Tell whether who knows everything up to there can be told the rest."""
        return not self.has_ended and self.kept_from <= position

    def begins_before(self, position: Position) -> bool:
        """Tell whether older history than what is behind a position was asked for."""
        return self._begins_at.position < position

    def number_behind(self, position: Position) -> int:
        """Return the number of the first result for who knows everything up to there."""
        known = bisect_right(self._log, position, key=_position_of)
        return min(self._first + known, self.flushed)

    def from_number(self, number: int) -> Sequence[Told]:
        """Return a burst of what can be taken."""
        start, end = number - self._first, self.flushed - self._first
        return list(islice(self._log, start, min(end, start + BURST)))

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
        self.moved()

    def rest(self, member: Member) -> None:
        """Note that a member has taken everything, and waits."""
        self._busy.discard(member)
        self._idle[member] = None
        self.moved()

    def rise(self, member: Member) -> None:
        """Note that a member no longer waits, and takes from the log."""
        if member in self._idle:
            del self._idle[member]
            self._busy.add(member)

    def moved(self) -> None:
        """Note that a member has taken something, or needs nothing any more."""
        self._moved.set()
        if not self._busy:
            self._forget_taken()

    async def run(self, source: Source, may_go_live: Callable[[], bool]) -> None:
        """Tell what was missed, then what happens, unless another group tells that already."""
        leg = Leg(begins_at=self._begins_at, ends_at_joint=True, ends_at_reset=True)
        await self._tell(source(leg))
        if leg.joint is not None and may_go_live():
            self.is_live = True
            leg = Leg(begins_at=leg.joint, ends_at_reset=True)
            await self._tell(source(leg))
        self.joint, self.was_reset = leg.joint, leg.was_reset

    def end(self, error: Exception | None) -> None:
        """Let the members take what is there, and tell them how it ended."""
        self.error, self.has_ended = error, True
        self._flush()
        for member in self._idle:
            member.wake()

    async def _tell(self, told: AsyncGenerator[Told, None]) -> None:
        async with aclosing(told):
            async for each in told:
                self._append(each)
                if self._first + len(self._log) - self.flushed >= BURST:
                    self._flush()
                    await asyncio.sleep(0)
                if not self.is_live:
                    await self._turns.take()
                    await self._wait_for_the_slowest()

    def _append(self, told: Told) -> None:
        self._log.append(told)
        self._log_bytes += _bytes_of(told)
        if self._flush_handle is None and self.is_live:
            self._flush_handle = self._loop.call_soon(self._flush)
        elif self._flush_handle is None:
            self._flush_handle = self._loop.call_later(GATHER_S, self._flush)

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
        while self.is_live and self._is_over_full():
            self._overtake()

    async def _wait_for_the_slowest(self) -> None:
        """Overtake nobody who catches up, unless others have waited for long enough."""
        while self._is_over_full():
            self._flush()
            if not self._is_over_full():
                return
            self._moved.clear()
            began = self._loop.time()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._moved.wait()
            if self._idle or any(member.number > self._first for member in self._busy):
                self._patience_s = max(0, self._patience_s - (self._loop.time() - began))
                while not self._patience_s and self._is_over_full():
                    self._overtake()

    def _is_over_full(self) -> bool:
        return len(self._log) > self.limit or self._log_bytes > LOG_BYTES

    def _forget_taken(self) -> None:
        """Forget what everybody has taken, but for what is kept for who comes late."""
        needed = min((member.number for member in self._busy), default=self.flushed)
        most, most_bytes = self.limit // 2, self._room.kept_bytes
        while self._first < needed and (len(self._log) > most or self._log_bytes > most_bytes):
            self._drop()

    def _overtake(self) -> None:
        """Let the slowest lose what they have not taken."""
        for member in [each for each in self._busy if each.number == self._first]:
            self._busy.discard(member)
            self._behind.add(member)
            member.fall_behind(self._log)
        self._drop()

    def _drop(self) -> None:
        told = self._log.popleft()
        self._log_bytes -= _bytes_of(told)
        self.kept_from = told.place.position
        self._first += 1


def _position_of(told: Told) -> Position:
    return told.place.position


def _bytes_of(told: Told) -> int:
    return len(told.encoded.payload) + RESULT_BYTES
