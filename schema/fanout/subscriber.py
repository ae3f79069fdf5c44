"""One subscription in its group: sent to directly while it keeps up, else taking from the log."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import SlowConsumer
from ostinato.resolvers.live.messages import EventPosition, Joint
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.fair_share import FairShare
from ostinato.schema.fanout.frames import FrameBatch

if TYPE_CHECKING:
    from ostinato.schema.fanout.broadcast import Broadcast

NOWHERE = EventPosition(Position(""))


class EncodedEvent(NamedTuple):
    """One result and its place in history."""

    encoded: EncodedResult
    place: EventPosition = NOWHERE


Push: TypeAlias = Callable[[FrameBatch], bool]
"""Sends a batch at once and returns True; False if it cannot, and has sent nothing."""


class DeliveryOptions(NamedTuple):
    """How one subscription takes what it is told."""

    push: Push | None
    coalesce: bool = False
    """Whether it is content with the newest result of each object when it does not keep up."""


class Subscriber:
    """Where one reader is in its group. `next` until None, by one task."""

    __slots__ = (
        "_group",
        "_is_lost",
        "_joint",
        "_pending",
        "_reader",
        "_turns",
        "_waiter",
        "cursor",
        "number",
    )

    def __init__(
        self, group: "Broadcast", joint: Joint, reader: DeliveryOptions, turns: FairShare
    ) -> None:
        self._group = group
        self._turns = turns
        self._joint = joint
        self._reader = reader
        self._is_lost = False
        self._pending: dict[str | None, EncodedEvent] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.cursor: str | None = None
        """Of the newest result taken here."""
        self.number = group.number_behind(joint.position)
        """The next result to take from the log."""
        group.begin_at(joint)
        group.add(self)

    @property
    def group(self) -> "Broadcast":
        return self._group

    @property
    def was_reset(self) -> bool:
        return self._group.was_reset

    @property
    def is_behind(self) -> bool:
        """Tell whether there is more to take."""
        return bool(self._pending) or self.number < self._group.flushed

    @property
    def joint(self) -> Joint | None:
        """Say where to go on in another group; None if there is no other."""
        ended_at = self._group.joint
        if ended_at is None or self._joint.position > ended_at.position:
            return ended_at and self._joint
        return ended_at

    @property
    def lost_for_others(self) -> bool:
        """Tell whether it may be only older history than its own that is lost."""
        return self.cursor is None and self._group.begins_before(self._joint.position)

    async def next(self) -> EncodedResult | None:
        """Take the next result; None where the group ends. Raises what ended it, and
        SlowConsumer if there was more to take than is kept."""
        while True:
            if self.is_behind:
                await self._turns.wait_turn()
            if self._push_burst():
                pass
            elif (told := self._take()) is not None:
                self.cursor = told.encoded.cursor
                return told.encoded
            elif not self._group.has_ended:
                await self._rest()
            elif self._group.error is not None:
                raise self._group.error
            else:
                return None

    def _push_burst(self) -> bool:
        """Send at once what waits; False if there is nothing, or it must be taken one by one."""
        if self._reader.push is None or self._pending is not None or self._is_lost:
            return False
        waiting = self._group.burst_from(self.number)
        fresh = [told for told in waiting if told.place.position > self._joint.position]
        if not fresh or not self._reader.push(FrameBatch([told.encoded.payload for told in fresh])):
            return False
        self.number, self.cursor = self.number + len(waiting), fresh[-1].encoded.cursor
        self._group.on_progress()
        return True

    def _take(self) -> EncodedEvent | None:
        if self._is_lost:
            raise SlowConsumer("read faster, then resume by your last cursor")
        if self._pending is not None:
            if self._pending:
                return self._pending.pop(next(iter(self._pending)))
            self._pending = None
            self.number = self._group.flushed
            self._group.add(self)
        while self.number < self._group.flushed:
            told = self._group.at(self.number)
            self.number += 1
            self._group.on_progress()
            if told.place.position > self._joint.position:
                return told
        return None

    async def _rest(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._group.mark_idle(self)
        try:
            await self._waiter
        finally:
            self._group.mark_busy(self)

    def wake(self) -> None:
        """Let it take from the log; called by the group."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def send(self, batch: FrameBatch, fresh: Sequence[EncodedEvent], end: int) -> bool:
        """Send what is new to a resting member; False if it must take it itself."""
        push = self._reader.push
        if push is None or fresh[0].place.position <= self._joint.position or not push(batch):
            return False
        self.number, self.cursor = end, fresh[-1].encoded.cursor
        return True

    def evict(self, kept: Iterable[EncodedEvent]) -> None:
        """Note that the log goes on without it: what it has not taken yet is `kept`."""
        if not self._reader.coalesce:
            self._is_lost = True
            return
        self._pending = {}
        self.skip_to_newest(kept)

    def skip_to_newest(self, fresh: Iterable[EncodedEvent]) -> None:
        """Keep the newest result about each object, in the order of the history."""
        pending = self._pending
        if pending is None:
            return
        for told in fresh:
            if told.place.position > self._joint.position:
                pending.pop(told.place.subject, None)
                pending[told.place.subject] = told
        if len(pending) > self._group.limit:
            self._pending, self._is_lost = None, True
