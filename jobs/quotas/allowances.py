"""Quotas that are measured rarely: what each owner may add before the next measurement.

A process grants an owner a share of the limit, counts it down in memory, and measures again when
it is used up. Far from the limit, adding costs no round trip; together, processes can exceed the
limit by at most one share each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from ostinato.jobs.quotas.limits import QuotaKind, quota_exceeded

MAX_OWNERS: Final = 10_000  # whose allowances a process remembers


@dataclass(slots=True, eq=False)
class Allowance:
    """What one owner may add in this process."""

    granted: int
    in_flight: int = 0
    """Added, but possibly not stored yet: a measurement may miss it."""
    used: int = 0
    """As measured, and what this process has added since."""
    uncertain: int = 0
    """The part of `used` that was in flight during the measurement: it may be counted twice."""
    measured_at: float = float("-inf")
    is_full: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, amount: int) -> None:
        self.granted -= amount
        self.in_flight += amount
        self.used += amount

    def give_up(self, amount: int) -> None:
        self.in_flight -= amount
        self.used -= amount
        self.uncertain = max(self.uncertain - amount, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceRules:
    """How the allowances of one quota are granted."""

    kind: QuotaKind
    share: float
    """The part of the limit that is granted at once, from 0 to 1."""
    max_age_s: float
    """How long a measurement is reused that found no room, or is read by a client."""


class Allowances:
    """The allowances of one quota, by owner."""

    def __init__(
        self, rules: AllowanceRules, limit: int | None, measure: Callable[[str], Awaitable[int]]
    ) -> None:
        self._rules = rules
        self._limit = limit
        self._share = max(round((limit or 0) * rules.share), 1)
        self._measure = measure
        self._owners: dict[str, Allowance] = {}
        self._has_forgotten = False

    def take_granted(self, owner: str, amount: int) -> Allowance | None:
        """Like `take`, but returns None if that needs a measurement, or without a limit."""
        allowance = self._owners.get(owner)
        if allowance is None or amount > allowance.granted:
            return None
        allowance.take(amount)
        return allowance

    async def take(self, owner: str, amount: int) -> Allowance | None:
        """Add `amount` to what the owner has; the caller must subtract it from `in_flight` later.

        Returns None without a limit. Raises QuotaExceeded if there is no room.
        """
        limit = self._limit
        if limit is None:
            return None
        allowance = self._of(owner)
        async with allowance.lock:
            if amount > allowance.granted:
                await self._grant(owner, allowance, (amount, limit))
            allowance.take(amount)
        return allowance

    def could_fit(self, owner: str, amount: int, own: Iterable[tuple[Allowance, int]]) -> bool:
        """Return whether `amount` may fit later: if what others have in flight is given up, or
        was counted twice; then the next `take` measures again."""
        allowance = self._of(owner)
        own_amount = sum(taken for each, taken in own if each is allowance)
        missing = allowance.used + amount - (self._limit or 0)
        if missing <= allowance.in_flight - own_amount:
            return True
        if missing <= allowance.uncertain - own_amount:
            allowance.is_full = False
            return True
        return False

    async def used(self, owner: str) -> int:
        """Return how much the owner uses, measured at most `max_age_s` ago."""
        allowance = self._of(owner)
        async with allowance.lock:
            if self._is_old(allowance):
                await self._measure_into(owner, allowance)
            return allowance.used

    async def _grant(self, owner: str, allowance: Allowance, request: tuple[int, int]) -> None:
        amount, limit = request
        if not allowance.is_full or self._is_old(allowance):
            await self._measure_into(owner, allowance)
        allowance.is_full = allowance.used + amount > limit
        if allowance.is_full:
            raise quota_exceeded(self._rules.kind, allowance.used, amount, limit)
        allowance.granted = max(amount, self._share)

    async def _measure_into(self, owner: str, allowance: Allowance) -> None:
        in_flight, before = allowance.in_flight, allowance.used
        now = asyncio.get_running_loop().time()
        measured = await self._measure(owner)
        allowance.uncertain = in_flight + allowance.used - before
        allowance.used = measured + allowance.uncertain
        allowance.measured_at = now

    def _of(self, owner: str) -> Allowance:
        found = self._owners.get(owner)
        if found is None:
            if len(self._owners) >= MAX_OWNERS:
                del self._owners[next(iter(self._owners))]  # an LRU cache would slow each job down
                self._has_forgotten = True
            # An owner who was forgotten may have used a share: it is measured first.
            granted = 0 if self._has_forgotten else self._share
            found = self._owners[owner] = Allowance(granted=granted)
        return found

    def _is_old(self, allowance: Allowance) -> bool:
        age_s = asyncio.get_running_loop().time() - allowance.measured_at
        return age_s > self._rules.max_age_s
