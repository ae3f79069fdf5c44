"""Finds the startable jobs of one queue, and the time of the next due job."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ostinato.jobs.dispatch.fairness import (
    OwnerShare,
    StartLimits,
    by_rank,
    rotate_after,
    round_robin,
)
from ostinato.jobs.dispatch.scan_cursors import MAX_READ_SHARE, ScanCursors
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.mongo.rate_limits import DispatchQuota, RateLimitStore, bucket_id

OWNERS_INTERVAL_S: Final = 0.25
OWNERS_BATCH_SIZE: Final = 16

QueuedIds = dict[Lane, frozenset[str]]
"""The ids of the jobs in Redis, by limit lane."""


@dataclass(slots=True)
class _Owners:
    """The owners of the jobs of a backlogged queue, as of the last read."""

    by_lane: dict[Lane, list[str | None]] = field(default_factory=dict)
    refresh_at: float = 0.0
    served_last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    jobs: tuple[PendingJob, ...]
    """The startable jobs, in order."""
    has_backlog: bool
    """Whether due jobs exceed the capacity, or an owner's jobs its share."""
    search_again_at: datetime | None
    """The time of the next search; None if unknown."""

    def due_by(self, now: datetime) -> "Candidates":
        """Return the candidates without jobs due after `now`."""
        later = [job.scheduled_time for job in self.jobs if job.scheduled_time > now]
        if not later:
            return self
        jobs = tuple(job for job in self.jobs if job.scheduled_time <= now)
        times = later if self.search_again_at is None else [*later, self.search_again_at]
        return replace(self, jobs=jobs, search_again_at=min(times))


@dataclass(slots=True, kw_only=True)
class _Search:
    queue: str
    due_until: datetime
    capacity: int
    queued_ids: QueuedIds
    limits: StartLimits
    times: list[datetime] = field(default_factory=list)
    has_backlog: bool = False


class CandidateFinder:
    def __init__(self, engine: Engine) -> None:
        self._registry = engine.registry
        self._due = DueJobs(engine.mongo)
        self._cursors = ScanCursors(self._due)
        self._rate_limits = RateLimitStore(engine.mongo)
        self._owners: dict[str, _Owners] = {}
        self.skipped: frozenset[str] = frozenset()
        """Ids of jobs to exclude from the search, in any lane."""
        self.owner_shares: Mapping[str, OwnerShare] = {}
        """By queue; the owners of a queue without one are not limited."""

    async def find(
        self, queue: str, due_until: datetime, capacity: int, workers: int, queued_ids: QueuedIds
    ) -> Candidates:
        """Choose at most `capacity` jobs of a queue that is served by `workers` workers."""
        search = _Search(
            queue=queue,
            due_until=due_until,
            capacity=capacity,
            queued_ids=queued_ids,
            limits=StartLimits(owners=self._owner_share_of(queue)),
        )
        lane_heads = await self._cursors.lane_heads(queue)
        search.times = [at for at in lane_heads.values() if at > due_until]
        due = [lane for lane, at in lane_heads.items() if at <= due_until]
        await self._apply_limits(search, {lane.limit_lane for lane in due}, workers)
        open_lanes = [lane for lane in due if search.limits.free_starts(lane, 1) > 0]
        jobs_by_lane = await asyncio.gather(*(self._read(search, lane) for lane in open_lanes))
        if not search.has_backlog:
            non_empty = [jobs for jobs in jobs_by_lane if jobs]
            jobs = by_rank(non_empty, capacity, search.limits) if jobs_by_lane else []
        else:
            jobs = await self._choose_by_owner(search, open_lanes, jobs_by_lane)
        # A lane missing from the cache may have jobs for the remaining capacity.
        has_capacity = not search.has_backlog or len(jobs) < capacity
        if has_capacity and self._cursors.forget_heads(queue):
            return await self.find(queue, due_until, capacity, workers, queued_ids)
        owner_share = search.limits.owners
        has_backlog = search.has_backlog or (owner_share is not None and owner_share.has_rejected)
        return Candidates(
            jobs=tuple(jobs),
            has_backlog=has_backlog,
            search_again_at=min(search.times, default=None),
        )

    def _owner_share_of(self, queue: str) -> OwnerShare | None:
        """Return a copy: a search takes from it."""
        share = self.owner_shares.get(queue)
        return share and OwnerShare(limit=share.limit, queued=Counter(share.queued))

    def mark_served(self, queue: str, last: PendingJob) -> None:
        """Record the owner of the last dispatched job."""
        if queue in self._owners:
            self._owners[queue].served_last = last.owner

    async def _apply_limits(
        self, search: _Search, limit_lanes: Iterable[Lane], workers: int
    ) -> None:
        """Read the remaining capacity of the functions' limits."""
        for limit_lane in limit_lanes:
            function = self._registry.get(limit_lane.function) if limit_lane.function else None
            if function is None:
                continue
            queued = len(search.queued_ids.get(limit_lane, ()))
            if function.concurrency is not None:
                # Twice the limit, so that the next job is queued before one finishes.
                most = 2 * function.concurrency * workers
                search.limits.remaining_slots[limit_lane] = most - queued
            limit = function.rate_limit
            if limit is not None and limit.key is None:
                bucket = bucket_id(function.name, limit, None)
                quota = await self._rate_limits.read_quota(bucket, limit, search.due_until)
                self._apply_quota(search, limit_lane, quota, queued)

    @staticmethod
    def _apply_quota(search: _Search, limit_lane: Lane, quota: DispatchQuota, queued: int) -> None:
        search.limits.remaining_starts[limit_lane] = quota.free - queued
        if quota.next_at is not None:
            search.times.append(quota.next_at)

    async def _read(self, search: _Search, lane: Lane) -> list[PendingJob]:
        """Read the due jobs of a lane that are not in Redis."""
        excluded = self._excluded(search, lane)
        limit = search.limits.free_starts(lane, search.capacity)
        found = await self._cursors.first(lane, limit + 1, excluded, search.due_until)
        later = next(
            (n for n, job in enumerate(found) if job.scheduled_time > search.due_until), None
        )
        if later is not None:
            search.times.append(found[later].scheduled_time)
        search.has_backlog = search.has_backlog or len(found[:later]) > limit
        return found[:later][:limit]

    def _excluded(self, search: _Search, lane: Lane) -> frozenset[str]:
        queued = search.queued_ids.get(lane.limit_lane, frozenset())
        return queued | self.skipped if self.skipped else queued

    async def _choose_by_owner(
        self, search: _Search, lanes: list[Lane], jobs_by_lane: list[list[PendingJob]]
    ) -> list[PendingJob]:
        """Choose jobs round-robin across owners, since due jobs exceed the capacity."""
        owners = self._owners.setdefault(search.queue, _Owners())
        if time.monotonic() >= owners.refresh_at:
            await self._refresh_owners(owners, lanes)
        all_owners = {owner for lane in lanes for owner in owners.by_lane.get(lane, ())}
        if len(all_owners) < 2:
            non_empty = [jobs for jobs in jobs_by_lane if jobs]
            return by_rank(non_empty, search.capacity, search.limits)
        chosen = rotate_after(all_owners, owners.served_last)[:OWNERS_BATCH_SIZE]
        found = await self._read_jobs_of(search, owners, lanes, chosen)
        jobs = {job.id: job for lane_jobs in (*jobs_by_lane, *found) for job in lane_jobs}
        return round_robin(jobs.values(), search.capacity, search.limits, owners.served_last)

    async def _refresh_owners(self, owners: _Owners, lanes: list[Lane]) -> None:
        began = time.monotonic()
        found = await asyncio.gather(*map(self._due.find_owners, lanes))
        owners.by_lane = dict(zip(lanes, found, strict=True))
        now = time.monotonic()
        owners.refresh_at = now + max(OWNERS_INTERVAL_S, (now - began) / MAX_READ_SHARE)

    async def _read_jobs_of(
        self, search: _Search, owners: _Owners, lanes: list[Lane], chosen: list[str | None]
    ) -> list[list[PendingJob]]:
        """Read the first jobs of each chosen owner in each lane."""
        maximum = -(-2 * search.capacity // len(chosen))  # twice the share: some owners have less

        async def read(lane: Lane, owner: str | None) -> list[PendingJob]:
            excluded = self._excluded(search, lane)
            limit = search.limits.free_starts(lane, maximum)
            found = await self._cursors.first(lane, limit, excluded, search.due_until, owner)
            return [job for job in found if job.scheduled_time <= search.due_until]

        return await asyncio.gather(
            *(
                read(lane, owner)
                for lane in lanes
                for owner in chosen
                if owner in owners.by_lane.get(lane, ())
            )
        )
