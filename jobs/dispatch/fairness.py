"""Fair queueing: orders due jobs, and divides capacity among queues. No I/O."""

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ostinato.jobs.lanes import AGING_MS, Lane, PendingJob, owner_tag

ROUNDING_ERROR: Final = 1e-9  # 100 * 0.29 is 28.999999999999996

Jobs = list[PendingJob]


@dataclass(frozen=True, slots=True)
class Demand:
    """The number of startable jobs of a queue, and the weight of the queue."""

    count: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class WeightedShares:
    granted: dict[str, int]
    virtual_times: dict[str, float]
    """By queue: grants divided by weight. Input to the next division."""


@dataclass(slots=True, kw_only=True)
class OwnerShare:
    """Limits how many jobs of one owner Redis holds."""

    limit: int
    queued: Counter[str]
    """The number of jobs in Redis by tag of the owner; counts the taken ones, too."""
    has_rejected: bool = False

    def take(self, owner: str | None) -> bool:
        """Take capacity for one job of an owner; return False if there is none."""
        tag = owner_tag(owner)
        if self.queued[tag] >= self.limit:
            self.has_rejected = True
            return False
        self.queued[tag] += 1
        return True


@dataclass(slots=True, kw_only=True)
class StartLimits:
    """The remaining capacity of the functions' limits, by limit lane, and of the owners."""

    remaining_slots: dict[Lane, int] = field(default_factory=dict)
    """Remaining jobs under the concurrency limit."""
    remaining_starts: dict[Lane, int] = field(default_factory=dict)
    """Remaining starts under the rate limit."""
    owners: OwnerShare | None = None
    """None: owners are not limited."""

    def free_starts(self, lane: Lane, maximum: int) -> int:
        limit_lane = lane.limit_lane
        starts = maximum if lane.has_reservation else self.remaining_starts.get(limit_lane, maximum)
        return max(0, min(maximum, starts, self.remaining_slots.get(limit_lane, maximum)))

    def take(self, job: PendingJob) -> bool:
        """Take capacity for one job; return False if there is none."""
        is_limited = self.remaining_slots or self.remaining_starts
        if is_limited and self.free_starts(job.lane, 1) == 0:
            return False
        if self.owners is not None and not self.owners.take(job.owner):
            return False
        if is_limited:
            self._take_start(job.lane)
        return True

    def _take_start(self, lane: Lane) -> None:
        limit_lane = lane.limit_lane
        if limit_lane in self.remaining_slots:
            self.remaining_slots[limit_lane] -= 1
        if limit_lane in self.remaining_starts and not lane.has_reservation:
            self.remaining_starts[limit_lane] -= 1


def owner_limit(slots: int, share: float) -> int:
    """Return how many slots make up a share, rounded down; at least one."""
    return max(1, math.floor(slots * share + ROUNDING_ERROR))


def split_by_owner(jobs: Sequence[PendingJob], slots: int, owner_limit: int) -> list[Jobs]:
    """Split chosen jobs into parts that workers can take independently, in order.

    An owner with many jobs gets parts of its own, which a worker leaves in Redis while the owner
    holds its share of the slots. They are small if the owners together could hold more than all
    slots, so that they take turns. The other jobs are one part, since every part costs a claim.
    """
    counts = Counter(job.owner for job in jobs)
    max_shared = max(1, owner_limit // 2, slots // max(1, len(counts)))
    own_size = max_shared if len(counts) * owner_limit > slots else len(jobs)
    parts: list[Jobs] = []
    open_parts: dict[str | None, Jobs] = {}
    shared_part: Jobs = []
    for job in jobs:
        if counts[job.owner] <= max_shared:
            if not shared_part:
                parts.append(shared_part)
            shared_part.append(job)
            continue
        part = open_parts.get(job.owner)
        if part is None or len(part) == own_size:
            part = open_parts[job.owner] = []
            parts.append(part)
        part.append(job)
    return parts


def rank(job: PendingJob) -> tuple[datetime, str]:
    """Return a job's sort key: the due time minus one minute per point of priority.

    Guarantees that no job starves, and that the order of two waiting jobs never changes.
    """
    return job.scheduled_time - timedelta(milliseconds=job.lane.priority * AGING_MS), job.id


def weighted_share(
    capacity: int, demands: Mapping[str, Demand], previous: Mapping[str, float]
) -> WeightedShares:
    """Divide capacity among queues by weight; unused shares are redistributed.

    An idle queue accumulates no credit.
    """
    active = {name: demand for name, demand in demands.items() if demand.count > 0}
    minimum = min((previous[name] for name in active if name in previous), default=0.0)
    virtual_times = {name: previous.get(name, minimum) - minimum for name in active}
    granted = dict.fromkeys(demands, 0)
    if len(active) == 1:
        (name,) = active
        granted[name] = min(capacity, active[name].count)
        return WeightedShares(granted, virtual_times)
    heap = [(virtual_times[name] + 1 / demand.weight, name) for name, demand in active.items()]
    heapq.heapify(heap)
    while heap and capacity > 0:
        virtual_time, name = heap[0]
        capacity -= 1
        granted[name] += 1
        virtual_times[name] = virtual_time
        if granted[name] < active[name].count:
            heapq.heapreplace(heap, (virtual_time + 1 / active[name].weight, name))
        else:
            heapq.heappop(heap)
    return WeightedShares(granted, virtual_times)


def by_rank(
    jobs_by_lane: Sequence[Sequence[PendingJob]], capacity: int, limits: StartLimits
) -> list[PendingJob]:
    """Choose at most `capacity` jobs by rank; each sequence must be sorted by rank."""
    merged = jobs_by_lane[0] if len(jobs_by_lane) == 1 else heapq.merge(*jobs_by_lane, key=rank)
    return _take(merged, capacity, limits)


def round_robin(
    jobs: Iterable[PendingJob], capacity: int, limits: StartLimits, after: str | None
) -> list[PendingJob]:
    """Choose at most `capacity` jobs, round-robin across owners; within an owner, by rank.

    Starts with the owner that follows `after` by name.
    """
    by_owner: dict[str | None, list[PendingJob]] = {}
    for job in sorted(jobs, key=rank):
        by_owner.setdefault(job.owner, []).append(job)
    owners = rotate_after(list(by_owner), after)
    return _take(_interleave([by_owner[owner] for owner in owners]), capacity, limits)


def rotate_after(owners: Iterable[str | None], after: str | None) -> list[str | None]:
    """Return owners sorted by name and rotated to start after `after`."""
    ordered = sorted(owners, key=lambda owner: (owner is not None, owner or ""))
    later = [owner for owner in ordered if owner is not None and owner > (after or "")]
    return [*later, *(owner for owner in ordered if owner is None or owner <= (after or ""))]


def _interleave(lists: Sequence[Sequence[PendingJob]]) -> Iterator[PendingJob]:
    iterators = deque(iter(jobs) for jobs in lists)
    while iterators:
        jobs = iterators.popleft()
        job = next(jobs, None)
        if job is not None:
            yield job
            iterators.append(jobs)


def _take(jobs: Iterable[PendingJob], capacity: int, limits: StartLimits) -> list[PendingJob]:
    taken: list[PendingJob] = []
    for job in jobs:
        if len(taken) == capacity:
            break
        if limits.take(job):
            taken.append(job)
    return taken
