"""Tells many subscriptions the same: each result is executed once, and kept for who is behind.

A group first tells what its founder missed, no faster than its members take it, then what
happens. It keeps its newest results, so that who comes late can take them instead of having them
executed again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final, TypeAlias

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.messages import Joint, Leg
from ostinato.schema.fanout.fair_share import FairShare
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.replay_buffer import (
    BURST_SIZE,
    MAX_BURST_BYTES,
    BufferLimits,
    ReplayBuffer,
    bytes_of,
)
from ostinato.schema.fanout.subscriber import EncodedEvent, Subscriber

GATHER_S: Final = 0.01  # a crowd goes on coming, and what is caught up is sent by the burst
MAX_GATHER_S: Final = 1.0
PATIENCE_S: Final = 5.0  # how long the slowest may hold up others who catch up, in all

Source: TypeAlias = Callable[[Leg], AsyncGenerator[EncodedEvent, None]]


class Broadcast:
    """Those who are sent the same bytes, from one source."""

    def __init__(self, begins_at: Joint, room: BufferLimits, turns: FairShare) -> None:
        self.is_live = False
        """Whether what was missed has been told."""
        self.flushed = 0
        """The number of the next result; those before can be taken."""
        self.joint: Joint | None = None
        """Where it has ended because another group tells the mark_idle."""
        self.error: Exception | None = None
        self.was_reset = False
        self.coalesce = False
        """Whether those who begin asked for the newest result of each object, if need be."""
        self.has_ended = False
        self._begins_at = begins_at
        self._has_begun = False
        self._room = room
        self._turns = turns
        self._log = ReplayBuffer(begins_at.position, room)
        self._fresh_bytes = 0
        self._flush_handle: asyncio.Handle | None = None
        self._idle: dict[Subscriber, None] = {}
        self._busy: set[Subscriber] = set()
        self._behind: set[Subscriber] = set()
        self._moved = asyncio.Event()
        self._patience_s = PATIENCE_S
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._behind)

    @property
    def limit(self) -> int:
        """Most results that wait for a slow member."""
        return self._room.results

    def covers(self, position: Position) -> bool:
        """Tell whether who knows everything up to there can be told the mark_idle."""
        return not self.has_ended and (not self._has_begun or self._log.start_position <= position)

    def begin_at(self, joint: Joint) -> None:
        """Begin there, if nobody needs to be told of earlier things."""
        if not self._has_begun and joint.position < self._log.start_position:
            self._begins_at, self._log.start_position = joint, joint.position

    def begins_before(self, position: Position) -> bool:
        """Tell whether older history than what is behind a position was asked for."""
        return self._begins_at.position < position

    def number_behind(self, position: Position) -> int:
        """Return the number of the first result for who knows everything up to there."""
        return min(self._log.behind(position), self.flushed)

    def burst_from(self, number: int) -> Sequence[EncodedEvent]:
        """Return a burst of what can be taken."""
        return self._log.burst(number, self.flushed)

    def at(self, number: int) -> EncodedEvent:
        return self._log[number]

    def add(self, member: Subscriber) -> None:
        """Keep the log from the member's number on."""
        self._behind.discard(member)
        self._busy.add(member)
        self._moved.set()

    def remove(self, member: Subscriber) -> None:
        self._idle.pop(member, None)
        self._busy.discard(member)
        self._behind.discard(member)
        self.on_progress()

    def mark_idle(self, member: Subscriber) -> None:
        """Note that a member has taken everything, and waits."""
        self._busy.discard(member)
        self._idle[member] = None
        self.on_progress()

    def mark_busy(self, member: Subscriber) -> None:
        """Note that a member no longer waits, and takes from the log."""
        if member in self._idle:
            del self._idle[member]
            self._busy.add(member)

    def on_progress(self) -> None:
        """Note that a member has taken something, or needs nothing any more."""
        self._moved.set()
        if not self._busy:
            self._trim()

    async def run(self, source: Source, may_go_live: Callable[[], bool]) -> None:
        """Tell what was missed, then what happens, unless another group tells that already."""
        await self._gather()
        leg = Leg(begins_at=self._begins_at, ends_at_joint=True, ends_at_reset=True)
        await self._tell(source(leg))
        if leg.joint is not None and may_go_live():
            self.is_live = True
            leg = Leg(begins_at=leg.joint, ends_at_reset=True)
            await self._tell(source(leg))
        self.joint, self.was_reset = leg.joint, leg.was_reset

    async def begin(self, source: Source, leg: Leg) -> None:
        """Tell what those are told who begin."""
        self._has_begun = True
        await self._tell(source(leg))
        self.joint, self.was_reset, self.coalesce = leg.joint, leg.was_reset, leg.coalesces

    def end(self, error: Exception | None) -> None:
        """Let the members take what is there, and tell them how it ended."""
        self.error, self.has_ended = error, True
        self._flush()
        for member in self._idle:
            member.wake()

    async def _gather(self) -> None:
        """Wait for others who missed as much or more, while they keep coming."""
        deadline, members = self._loop.time() + MAX_GATHER_S, 0
        while len(self) != members and self._loop.time() < deadline:
            members = len(self)
            await asyncio.sleep(GATHER_S)
        self._has_begun = True

    async def _tell(self, told: AsyncGenerator[EncodedEvent, None]) -> None:
        async with aclosing(told):
            async for each in told:
                if self._fresh_bytes + bytes_of(each) > MAX_BURST_BYTES:
                    await self._send_burst()
                self._append(each)
                if self._log.end - self.flushed >= BURST_SIZE:
                    await self._send_burst()
                if not self.is_live:
                    await self._turns.wait_turn()
                    await self._wait_for_the_slowest()

    async def _send_burst(self) -> None:
        self._flush()
        await asyncio.sleep(0)

    def _append(self, told: EncodedEvent) -> None:
        self._log.append(told)
        self._fresh_bytes += bytes_of(told)
        if self._flush_handle is None and self.is_live:
            self._flush_handle = self._loop.call_soon(self._flush)
        elif self._flush_handle is None:
            self._flush_handle = self._loop.call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        """Send what is new to those who have all before it; let the others know."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        fresh = self._log.between(self.flushed, self._log.end)
        if not fresh:
            return
        self.flushed += len(fresh)
        self._fresh_bytes = 0
        batch = FrameBatch([told.encoded.payload for told in fresh])
        for member in tuple(self._idle):
            if not member.send(batch, fresh, self.flushed):
                self.mark_busy(member)
                member.wake()
        for member in self._behind:
            member.skip_to_newest(fresh)
        self._trim()
        while self.is_live and self._log.is_full():
            self._evict_slowest()

    async def _wait_for_the_slowest(self) -> None:
        """Overtake nobody who catches up, unless others have waited for long enough."""
        while self._log.is_full():
            self._flush()
            self._trim()
            is_waited_for = bool(self._idle) or len({each.number for each in self._busy}) > 1
            if self._log.is_full() and is_waited_for and self._patience_s <= 0:
                self._evict_slowest()
            elif self._log.is_full():
                took_s = await self._moves(self._patience_s if is_waited_for else None)
                self._patience_s -= took_s if is_waited_for else 0

    async def _moves(self, within_s: float | None) -> float:
        """Wait until a member moves; return how long it took."""
        self._moved.clear()
        began = self._loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._moved.wait()
        return self._loop.time() - began

    def _trim(self) -> None:
        """Forget what everybody has taken, but for what is kept for who comes late."""
        self._log.trim(min((each.number for each in self._busy), default=self.flushed))

    def _evict_slowest(self) -> None:
        """Let the slowest lose what they have not taken."""
        for member in [each for each in self._busy if each.number == self._log.first]:
            self._busy.discard(member)
            self._behind.add(member)
            member.evict(self._log)
        self._log.drop()
