"""The way of one subscription: it begins alone or with others who begin alike, and is told the
mark_idle in groups. When the client must start again, so does the way.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from ostinato.jobs.errors import HistoryLost
from ostinato.resolvers.live.messages import Joint, Leg
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.broadcast import Source
from ostinato.schema.fanout.registry import BroadcastRegistry
from ostinato.schema.fanout.subscriber import DeliveryOptions, Push


class Telling(NamedTuple):
    """What equal subscriptions have in common, and the source that tells all of them."""

    key: Hashable
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Tellings:
    """Who can tell one subscription what."""

    alone: Source
    at_first: Callable[[], Telling] | None
    """What those have in common who begin alike, or begin again; None if they begin alone."""
    later: Callable[[], Telling]
    """What those have in common who have begun."""
    resumes: bool
    """Whether it does not begin, but goes on behind a cursor."""


class SubscriptionSession:
    """Where one subscription is."""

    def __init__(self, tellings: Tellings, groups: BroadcastRegistry, push: Push | None) -> None:
        self._tellings = tellings
        self._groups = groups
        self._push = push
        self._cursor: str | None = None
        self._leg: Leg | None = None
        self._joint: Joint | None = None

    async def results(self, after: str | None) -> AsyncGenerator[EncodedResult, None]:
        """Yield each result that is not pushed."""
        for part in self._parts(Leg(after=after, ends_at_joint=True)):
            async with aclosing(part) as results:
                async for encoded in results:
                    yield encoded

    def _parts(self, first: Leg) -> Iterator[AsyncGenerator[EncodedResult, None]]:
        self._leg = first
        while (leg := self._leg) is not None:
            if (telling := self._at_first(leg)) is None:
                yield self._told_alone(leg)
            else:
                yield self._told_at_first(leg, telling)
            self._leg, self._joint = self._again() if leg.was_reset else None, leg.joint
            while self._joint is not None:
                yield self._told_later(self._joint, DeliveryOptions(self._push, leg.coalesces))

    def _at_first(self, leg: Leg) -> Telling | None:
        """Say what a leg has in common with those that begin alike; None if it does not begin."""
        begins = leg.starts_over or (leg.begins_at is None and not self._tellings.resumes)
        at_first = self._tellings.at_first
        return at_first() if begins and at_first is not None else None

    def _again(self) -> Leg:
        after = self._cursor if self._tellings.at_first is None else None
        return Leg(after=after, starts_over=True, ends_at_joint=True)

    async def _told_alone(self, leg: Leg) -> AsyncGenerator[EncodedResult, None]:
        async with aclosing(self._tellings.alone(leg)) as told:
            async for each in told:
                self._cursor = each.encoded.cursor
                yield each.encoded
                await self._groups.turns.wait_turn()

    async def _told_at_first(
        self, leg: Leg, telling: Telling
    ) -> AsyncGenerator[EncodedResult, None]:
        """Begin with those who begin alike."""
        key, beginnings = (telling.key, leg.starts_over), self._groups.snapshots
        member = beginnings.join(key, leg, telling.source, DeliveryOptions(self._push))
        try:
            while (encoded := await member.next()) is not None:
                yield encoded
        finally:
            beginnings.leave(key, member)
        self._cursor = member.cursor
        leg.joint, leg.was_reset = member.joint, member.was_reset
        leg.coalesces = member.group.coalesce

    async def _told_later(
        self, joint: Joint, reader: DeliveryOptions
    ) -> AsyncGenerator[EncodedResult, None]:
        """Go on from a joint to where the group ends."""
        telling = self._tellings.later()
        member = self._groups.join(telling.key, joint, telling.source, reader)
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
            self._leg = self._again()
