"""One subscription in its group: sent to directly while it keeps up, else taking from the log."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from jobs.changes import Position
from jobs.errors import SlowConsumer
from resolvers.changes import Joint, Place
from schema.transports.encoding import Encoded
from schema.transports.frames import Batch

if TYPE_CHECKING:
    from schema.transports.groups import Group

NOWHERE = Place(Position(""))


class Told(NamedTuple):
    """One result and its place in history."""

    encoded: Encoded
    place: Place = NOWHERE


Push: TypeAlias = Callable[[Batch], bool]
"""Sends a batch at once and returns True; False if it cannot, and has sent nothing."""


class Member:
    """Where one reader is in its group. `begin`, then `next` until None, by one task."""

    __slots__ = (
        "_coalesces",
        "_group",
        "_is_lost",
        "_pending",
        "_push",
        "_skipped",
        "_waiter",
        "cursor",
        "number",
        "starts_behind",
    )

    def __init__(self, group: "Group", push: Push | None) -> None:
        self._group = group
        self._push = push
        self._coalesces = False
        self._skipped = Position("")
        self._waiter: asyncio.Future[None] | None = None
        self._enter()

    def _enter(self) -> None:
        """Hold on to the log from here on."""
        self._is_lost = False
        self._pending: dict[str | None, Told] | None = None
        self.cursor: str | None = None
        """Of the newest result taken here."""
        self.number = self._group.flushed
        """The next result to take from the log."""
        self.starts_behind = self._group.position
        """Only who knows everything up to here misses nothing."""
        self._group.add(self)

    @property
    def group(self) -> "Group":
        return self._group

    @property
    def was_reset(self) -> bool:
        return self._group.was_reset

    def begin(self, joint: Joint, *, coalesces: bool) -> bool:
        """Go on where the member's own way ended; False if it must come further first."""
        if self._is_lost:
            self._enter()
        self._skipped, self._coalesces = joint.position, coalesces
        return joint.position >= self.starts_behind

    async def next(self) -> Encoded | None:
        """Take the next result; None where the group ends. Raises what ended it, and
        SlowConsumer if there was more to take than is kept."""
        while True:
            if (told := self._take()) is not None:
                self.cursor = told.encoded.cursor
                return told.encoded
            if self._group.has_ended:
                if self._group.error is not None:
                    raise self._group.error
                return None
            await self._rest()

    def _take(self) -> Told | None:
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
            if told.place.position > self._skipped:
                return told
        return None

    async def _rest(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._group.rest(self)
        try:
            await self._waiter
        finally:
            self._group.rise(self)

    def wake(self) -> None:
        """Let it take from the log; called by the group."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def send(self, batch: Batch, fresh: Sequence[Told], end: int) -> bool:
        """Send what is new to a resting member; False if it must take it itself."""
        if self._push is None or fresh[0].place.position <= self._skipped:
            return False
        if not self._push(batch):
            return False
        self.number, self.cursor = end, fresh[-1].encoded.cursor
        return True

    def fall_behind(self, kept: Iterable[Told]) -> None:
        """Note that the log goes on without it: what it has not taken yet is `kept`."""
        if not self._coalesces:
            self._is_lost = True
            return
        self._pending = {}
        self.skip_to_newest(kept)

    def skip_to_newest(self, fresh: Iterable[Told]) -> None:
        """Keep the newest result about each object, in the order of the history."""
        pending = self._pending
        if pending is None:
            return
        for told in fresh:
            if told.place.position > self._skipped:
                pending.pop(told.place.subject, None)
                pending[told.place.subject] = told
        if len(pending) > self._group.limit:
            self._pending, self._is_lost = None, True
