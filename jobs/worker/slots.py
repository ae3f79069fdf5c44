"""Counts how many jobs a worker runs at once: in all, and per function with a concurrency limit.

A function that has returned frees its slot before its outcome is written, so that the next job can
start. The number of unwritten outcomes has a bound of its own.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.lanes import Lane
from ostinato.jobs.registry import Registry

MAX_UNACKED_FACTOR: Final = 4  # times the capacity: how far a slow database may fall behind


class FunctionLimits:
    """Counts running jobs of functions that have a concurrency limit."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._running: Counter[str] = Counter()

    def room(self, lane: Lane, wanted: int) -> int:
        """Return how many of `wanted` jobs may start now."""
        function = self._registry.get(lane.function) if lane.function else None
        if function is None or function.concurrency is None:
            return wanted
        return max(0, min(wanted, function.concurrency - self._running[function.name]))

    def acquire(self, lane: Lane, wanted: int) -> int:
        """Reserve as many of `wanted` as there is room for, without waiting."""
        granted = self.room(lane, wanted)
        if lane.function is not None:
            self._running[lane.function] += granted
        return granted

    def release(self, lane: Lane, number: int) -> None:
        if lane.function is not None:
            self._running[lane.function] -= number


class Slots:
    def __init__(self, capacity: int, registry: Registry) -> None:
        self.capacity = capacity
        self.free = capacity
        self._unacked = 0
        self._limits = FunctionLimits(registry)
        self._freed = asyncio.Event()

    @property
    def taken(self) -> int:
        return self.capacity - self.free

    def has_room(self, lane: Lane | None) -> bool:
        """Return whether a job could start now; with a lane, a job of that lane."""
        return self._is_open and (lane is None or self._limits.room(lane, 1) > 0)

    async def acquire(self, lane: Lane, wanted: int) -> int:
        """Wait until a slot is free, then take up to `wanted` slots and return how many.

        Returns 0 without waiting if the lane's function is at its own limit.
        """
        granted = self._limits.acquire(lane, wanted)
        taken = 0
        try:
            while granted and not self._is_open:
                self._freed.clear()
                await self._freed.wait()
            taken = min(granted, self.free)
            self.free -= taken
        finally:
            self._limits.release(lane, granted - taken)
        return taken

    def release(self, lane: Lane, number: int = 1) -> None:
        self.free += number
        self._limits.release(lane, number)
        self._freed.set()

    def release_unacked(self, lane: Lane) -> None:
        """Free the slot of a job that has returned; call `acked` once its outcome is written."""
        self._unacked += 1
        self.release(lane)

    def acked(self) -> None:
        self._unacked -= 1
        self._freed.set()

    @property
    def _is_open(self) -> bool:
        return self.free > 0 and self._unacked < MAX_UNACKED_FACTOR * self.capacity


@dataclass(slots=True)
class ClaimSlots:
    """Slots that were taken for a claim and are not yet assigned to running jobs."""

    slots: Slots
    lane: Lane
    number: int

    def release(self, number: int | None = None) -> None:
        """Release `number` of them, or all that are left."""
        released = self.number if number is None else number
        self.number -= released
        if released:
            self.slots.release(self.lane, released)

    def hand_over(self) -> Lane:
        """Assign one slot to a job that starts; returns the lane to release it to."""
        self.number -= 1
        return self.lane
