"""The way of one subscription: it catches up by itself, to the present; from there on it is told
with its group. When the client must start again, so does the way.
"""

from collections.abc import AsyncGenerator, Callable, Hashable

from resolvers.changes import Leg
from schema.transports.encoding import Encoded
from schema.transports.groups import Groups, Source
from schema.transports.members import Member, Push

KeyOf = Callable[[], tuple[Hashable, Source]]
"""Gives what equal subscriptions have in common, and the source that tells all of them."""


class Way:
    """Where one subscription is."""

    def __init__(self, alone: Source, key_of: KeyOf, groups: Groups, push: Push | None) -> None:
        self._alone = alone
        self._key_of = key_of
        self._groups = groups
        self._push = push
        self._member: Member | None = None
        self._cursor: str | None = None

    async def results(self, after: str | None) -> AsyncGenerator[Encoded, None]:
        """Yield each result that is not pushed."""
        leg: Leg | None = Leg(after=after, ends_live=True)
        told = None
        try:
            while leg is not None:
                told = self._alone(leg)
                async for each in told:
                    self._cursor = each.encoded.cursor
                    yield each.encoded
                    await self._groups.turns.take()
                member = self._enter(leg)
                while member is not None and (encoded := await member.next()) is not None:
                    yield encoded
                leg = self._next_leg(leg, member)
        finally:
            self._leave()
            if told is not None:
                await told.aclose()

    def _enter(self, leg: Leg) -> Member | None:
        """Join the group where this leg ends; None if there is none, or it is further by now."""
        if leg.joint is None:
            return None
        if self._member is None:
            key, together = self._key_of()
            self._member = self._groups.join(key, leg.joint, together, self._push)
        return self._member if self._member.begin(leg.joint, coalesces=leg.coalesces) else None

    def _next_leg(self, leg: Leg, member: Member | None) -> Leg | None:
        if member is None:
            return Leg(begins_at=leg.joint, ends_live=True) if leg.joint else None
        if not member.was_reset:
            return None
        after = member.cursor or self._cursor
        self._leave()
        return Leg(after=after, starts_over=True, ends_live=True)

    def _leave(self) -> None:
        if self._member is not None:
            self._groups.leave(self._member)
            self._member = None
