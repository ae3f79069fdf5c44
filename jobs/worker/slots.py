"""Slots: a worker's concurrency limits, in total and per function.

A slot is freed when its function returns, before the outcome is written, so that the next job can
start. Unwritten outcomes have a separate limit.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.lanes import Lane
from ostinato.jobs.registry import Registry

MAX_UNACKED_FACTOR: Final = 4  # times the capacity: backpressure if the database is slow


class FunctionLimits:
    """Counts running jobs of functions that have a concurrency limit."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._running: Counter[str] = Counter()

    def free_starts(self, lane: Lane, wanted: int) -> int:
        """Return how many of `wanted` jobs may start now."""
        function = self._registry.get(lane.function) if lane.function else None
        if function is None or function.concurrency is None:
            return wanted
        return max(0, min(wanted, function.concurrency - self._running[function.name]))

    def acquire(self, lane: Lane, wanted: int) -> int:
        """Reserve up to `wanted` starts within the limit, without waiting; returns how many."""
        granted = self.free_starts(lane, wanted)
        if lane.function is not None:
            self._running[lane.function] += granted
        return granted

    def release(self, lane: Lane, number: int) -> None:
        if lane.function is not None:
            self._running[lane.function] -= number


class Slots:
    """The slots of one worker."""

    def __init__(self, capacity: int, registry: Registry) -> None:
        self.capacity = capacity
        self.free = capacity
        self._unacked = 0
        self._limits = FunctionLimits(registry)
        self._freed = asyncio.Event()

    @property
    def taken(self) -> int:
        return self.capacity - self.free

    def has_free_slot(self, lane: Lane | None) -> bool:
        """Return whether a slot is free; with a lane, for a job of that lane."""
        return self._is_open and (lane is None or self._limits.free_starts(lane, 1) > 0)

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
        """Free the slot of a returned function; call `acked` once its outcome is written."""
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
    """Slots acquired for a claim and not yet assigned to running jobs."""

    slots: Slots
    lane: Lane
    number: int

    def release(self, number: int | None = None) -> None:
        """Release `number` slots, or all remaining."""
        released = self.number if number is None else number
        self.number -= released
        if released:
            self.slots.release(self.lane, released)

    def hand_over(self) -> Lane:
        """Assign one slot to a starting job; returns the lane to release it to."""
        self.number -= 1
        return self.lane
