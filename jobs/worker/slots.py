"""Slots: a worker's concurrency limits, in total, per function and per owner.

A slot is freed when its function returns, before the outcome is written, so that the next job can
start. Unwritten outcomes have a separate limit.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from ostinato.jobs.lanes import Lane
from ostinato.jobs.registry import Registry

MAX_UNWRITTEN_FACTOR: Final = 4  # times the capacity: backpressure if the database is slow

UNLIMITED: Final = sys.maxsize


class JobOwner(NamedTuple):
    """A job to claim, and the tag of its owner."""

    job_id: str
    owner_tag: str


class Slot(NamedTuple):
    """A slot that a running job holds."""

    lane: Lane
    owner_tag: str


class FunctionLimits:
    """Counts running jobs of functions that have a concurrency limit."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._running: Counter[str] = Counter()

    def free_starts(self, lane: Lane, maximum: int) -> int:
        """Return how many of `maximum` jobs may start now."""
        function = self._registry.get(lane.function) if lane.function else None
        if function is None or function.concurrency is None:
            return maximum
        return max(0, min(maximum, function.concurrency - self._running[function.name]))

    def acquire(self, lane: Lane, number: int) -> None:
        """Count jobs that start now: at most `free_starts`."""
        if lane.function is not None:
            self._running[lane.function] += number

    def release(self, lane: Lane) -> None:
        if lane.function is not None:
            self._running[lane.function] -= 1


class OwnerLimits:
    """Counts the slots that each owner holds, by the owner's tag."""

    def __init__(self, limit: Callable[[], int | None]) -> None:
        """`limit` returns how many slots one owner may hold at once; None: all."""
        self._limit = limit
        self._taken: Counter[str] = Counter()

    def free_starts(self, owner_tag: str) -> int:
        limit = self._limit()
        return UNLIMITED if limit is None else limit - self._taken[owner_tag]

    def acquire(self, jobs: Iterable[JobOwner], maximum: int) -> list[JobOwner]:
        """Take slots for up to `maximum` of the jobs whose owners may take one; returns these."""
        limit = self._limit() or UNLIMITED
        granted: list[JobOwner] = []
        for job in jobs:
            if len(granted) == maximum:
                break
            if self._taken[job.owner_tag] < limit:
                self._taken[job.owner_tag] += 1
                granted.append(job)
        return granted

    def release(self, owner_tag: str) -> None:
        self._taken[owner_tag] -= 1
        if not self._taken[owner_tag]:
            del self._taken[owner_tag]


class Slots:
    """The slots of one worker."""

    def __init__(
        self, capacity: int, registry: Registry, owner_limit: Callable[[], int | None]
    ) -> None:
        self.capacity = capacity
        self.free = capacity
        self._unwritten = 0
        self._limits = FunctionLimits(registry)
        self._owners = OwnerLimits(owner_limit)
        self._freed = asyncio.Event()

    @property
    def taken(self) -> int:
        return self.capacity - self.free

    def has_free_slot(self, lane: Lane | None) -> bool:
        """Return whether a slot is free; with a lane, for a job of that lane."""
        return self._is_open and (lane is None or self._limits.free_starts(lane, 1) > 0)

    def free_starts_of(self, owner_tag: str) -> int:
        """Return how many jobs of an owner may start."""
        return self._owners.free_starts(owner_tag)

    async def acquire(
        self, lane: Lane, jobs: Collection[JobOwner], maximum: int, *, wait_for_owner: bool = True
    ) -> list[JobOwner]:
        """Wait until a slot is free, then take slots for up to `maximum` jobs; returns these jobs.

        With `wait_for_owner`, also waits until an owner of the jobs may take a slot. Returns an
        empty list if the lane's function is at its own limit.
        """
        while startable := self._limits.free_starts(lane, min(len(jobs), maximum)):
            if self._is_open:
                taken = self._owners.acquire(jobs, min(startable, self.free))
                # Only now: a start that waits for its owner's slot would block other owners.
                self._limits.acquire(lane, len(taken))
                self.free -= len(taken)
                if taken or not wait_for_owner:
                    return taken
            self._freed.clear()
            await self._freed.wait()
        return []

    def release(self, slot: Slot) -> None:
        self.free += 1
        self._limits.release(slot.lane)
        self._owners.release(slot.owner_tag)
        self._freed.set()

    def release_returned(self, slot: Slot) -> None:
        """Free the slot of a returned function; call `outcome_written` once its outcome is."""
        self._unwritten += 1
        self.release(slot)

    def outcome_written(self) -> None:
        self._unwritten -= 1
        self._freed.set()

    @property
    def _is_open(self) -> bool:
        return self.free > 0 and self._unwritten < MAX_UNWRITTEN_FACTOR * self.capacity


class ClaimSlots:
    """Slots acquired for a claim and not yet assigned to running jobs."""

    def __init__(self, slots: Slots, lane: Lane, jobs: Iterable[JobOwner]) -> None:
        self.lane = lane
        self._slots = slots
        self._owner_tags = dict(jobs)

    def keep(self, job_ids: Collection[str]) -> None:
        """Release the slots of all other jobs."""
        for job_id in self._owner_tags.keys() - set(job_ids):
            self.release(job_id)

    def release(self, job_id: str) -> None:
        self._slots.release(self.hand_over(job_id))

    def hand_over(self, job_id: str) -> Slot:
        """Assign the slot to its starting job, which releases it."""
        return Slot(self.lane, self._owner_tags.pop(job_id))
