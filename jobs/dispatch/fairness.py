"""Chooses which due jobs run next, and how queues share the room. Pure."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ostinato.jobs.lanes import AGING_MS, Lane, PendingJob


@dataclass(frozen=True, slots=True)
class Demand:
    """How many due jobs of a queue could start now, and the weight of the queue."""

    wanted: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class WeightedShares:
    granted: dict[str, int]
    served: dict[str, float]
    """What each queue has received so far, divided by its weight; pass it to the next round."""


@dataclass(slots=True, kw_only=True)
class LaneLimits:
    """How many jobs the functions' limits allow, by limit key."""

    running: dict[Lane, int] = field(default_factory=dict)
    """How many more jobs may wait for a worker."""
    starts: dict[Lane, int] = field(default_factory=dict)
    """How many more jobs may request a start."""

    def room(self, lane: Lane, most: int) -> int:
        limit_key = lane.limit_key
        starts = most if lane.has_reservation else self.starts.get(limit_key, most)
        return max(0, min(most, starts, self.running.get(limit_key, most)))

    def take(self, lane: Lane) -> bool:
        """Take the room of one job; returns False if there is none."""
        if not self.running and not self.starts:
            return True
        if self.room(lane, 1) == 0:
            return False
        limit_key = lane.limit_key
        if limit_key in self.running:
            self.running[limit_key] -= 1
        if limit_key in self.starts and not lane.has_reservation:
            self.starts[limit_key] -= 1
        return True


def rank(job: PendingJob) -> tuple[datetime, str]:
    """Return a job's sort key: its due time, moved a minute earlier per point of priority.

    So no job starves, and the order of two jobs never changes while they wait.
    """
    return job.scheduled_time - timedelta(milliseconds=job.lane.priority * AGING_MS), job.id


def weighted_share(
    room: int, demands: Mapping[str, Demand], served: Mapping[str, float]
) -> WeightedShares:
    """Divide room among queues by weight; what one does not need goes to the others.

    A queue does not save up room while it is idle.
    """
    active = {name: demand for name, demand in demands.items() if demand.wanted > 0}
    least = min((served[name] for name in active if name in served), default=0.0)
    had = {name: served.get(name, least) - least for name in active}
    granted = dict.fromkeys(demands, 0)
    if len(active) == 1:
        (name,) = active
        granted[name] = min(room, active[name].wanted)
        return WeightedShares(granted, had)
    turns = [(had[name] + 1 / demand.weight, name) for name, demand in active.items()]
    heapq.heapify(turns)
    while turns and room > 0:
        due, name = turns[0]
        room -= 1
        granted[name] += 1
        had[name] = due
        if granted[name] < active[name].wanted:
            heapq.heapreplace(turns, (due + 1 / active[name].weight, name))
        else:
            heapq.heappop(turns)
    return WeightedShares(granted, had)


def by_rank(
    streams: Sequence[Sequence[PendingJob]], room: int, limits: LaneLimits
) -> list[PendingJob]:
    """Choose at most `room` jobs by rank; each stream is sorted by rank."""
    merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=rank)
    return _take(merged, room, limits)


def round_robin(
    jobs: Iterable[PendingJob], room: int, limits: LaneLimits, after: str | None
) -> list[PendingJob]:
    """Choose at most `room` jobs, one of each owner in turn; within an owner, by rank.

    The first owner is the one after `after` by name.
    """
    by_owner: dict[str | None, list[PendingJob]] = {}
    for job in sorted(jobs, key=rank):
        by_owner.setdefault(job.owner, []).append(job)
    owners = rotate_after(list(by_owner), after)
    return _take(_interleave([by_owner[owner] for owner in owners]), room, limits)


def rotate_after(owners: Iterable[str | None], after: str | None) -> list[str | None]:
    """Return owners sorted by name, starting with the one after `after`."""
    ordered = sorted(owners, key=lambda owner: (owner is not None, owner or ""))
    later = [owner for owner in ordered if owner is not None and owner > (after or "")]
    return [*later, *(owner for owner in ordered if owner is None or owner <= (after or ""))]


def _interleave(lists: Sequence[Sequence[PendingJob]]) -> Iterator[PendingJob]:
    turns = deque(iter(jobs) for jobs in lists)
    while turns:
        jobs = turns.popleft()
        job = next(jobs, None)
        if job is not None:
            yield job
            turns.append(jobs)


def _take(jobs: Iterable[PendingJob], room: int, limits: LaneLimits) -> list[PendingJob]:
    taken: list[PendingJob] = []
    for job in jobs:
        if len(taken) == room:
            break
        if limits.take(job.lane):
            taken.append(job)
    return taken
