"""The way of one subscription: its beginning is its own, the rest it is told in groups. When the
client must start again, so does the way.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing

from jobs.errors import HistoryLost
from resolvers.changes import Joint, Leg
from schema.transports.encoding import Encoded
from schema.transports.group import Source
from schema.transports.groups import Groups
from schema.transports.members import Push, Reader

KeyOf = Callable[[], tuple[Hashable, Source]]
"""Gives what equal subscriptions have in common, and the source that tells all of them."""


class Way:
    """Where one subscription is."""

    def __init__(self, alone: Source, key_of: KeyOf, groups: Groups, push: Push | None) -> None:
        self._alone = alone
        self._key_of = key_of
        self._groups = groups
        self._push = push
        self._cursor: str | None = None
        self._leg: Leg | None = None
        self._joint: Joint | None = None

    async def results(self, after: str | None) -> AsyncGenerator[Encoded, None]:
        """Yield each result that is not pushed."""
        for part in self._parts(Leg(after=after, ends_at_joint=True)):
            async with aclosing(part) as results:
                async for encoded in results:
                    yield encoded

    def _parts(self, first: Leg) -> Iterator[AsyncGenerator[Encoded, None]]:
        self._leg = first
        while (leg := self._leg) is not None:
            yield self._told_alone(leg)
            self._leg, self._joint = None, leg.joint
            while self._joint is not None:
                yield self._told_together(self._joint, Reader(self._push, leg.coalesces))

    async def _told_alone(self, leg: Leg) -> AsyncGenerator[Encoded, None]:
        async with aclosing(self._alone(leg)) as told:
            async for each in told:
                self._cursor = each.encoded.cursor
                yield each.encoded
                await self._groups.turns.take()

    async def _told_together(self, joint: Joint, reader: Reader) -> AsyncGenerator[Encoded, None]:
        """Go on from a joint to where the group ends."""
        key, source = self._key_of()
        member = self._groups.join(key, joint, source, reader)
        try:
            while (encoded := await member.next()) is not None:
                yield encoded
        except HistoryLost:
            if not member.lost_for_others:
                raise
            self._leg = Leg(begins_at=joint, ends_at_joint=True)
        finally:
            self._groups.leave(member)
        self._cursor, self._joint = member.cursor or self._cursor, member.joint
        if member.was_reset:
            self._leg = Leg(after=self._cursor, starts_over=True, ends_at_joint=True)
