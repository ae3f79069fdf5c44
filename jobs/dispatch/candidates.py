"""Finds the jobs of one queue that could start now, and when the next are due."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ostinato.jobs.dispatch.fairness import LaneLimits, by_rank, rotate_after, round_robin
from ostinato.jobs.dispatch.scan_cursors import ScanCursors
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.mongo.rate_limits import DispatchQuota, RateLimitStore, bucket_id

OWNERS_EVERY_S: Final = 0.25
OWNERS_SHARE: Final = 0.05  # of the time may be spent on reading owners, however many there are
OWNERS_BATCH_SIZE: Final = 16

InFlight = dict[Lane, frozenset[str]]
"""What is in Redis already, by limit key."""


@dataclass(slots=True)
class _Owners:
    """The owners with jobs in a backlogged queue, as of the last read."""

    lanes: dict[Lane, list[str | None]] = field(default_factory=dict)
    ask_at: float = 0.0
    served_last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    jobs: tuple[PendingJob, ...]
    """What could start now, in order."""
    more: bool
    """Whether more was due than there was room for."""
    next_at: datetime | None
    """When to look again, if that is known."""

    def due_by(self, now: datetime) -> "Candidates":
        """Leave out jobs that are not due yet."""
        later = [job.scheduled_time for job in self.jobs if job.scheduled_time > now]
        if not later:
            return self
        jobs = tuple(job for job in self.jobs if job.scheduled_time <= now)
        times = later if self.next_at is None else [*later, self.next_at]
        return replace(self, jobs=jobs, next_at=min(times))


@dataclass(slots=True, kw_only=True)
class _Search:
    queue: str
    now: datetime
    room: int
    in_flight: InFlight
    limits: LaneLimits = field(default_factory=LaneLimits)
    times: list[datetime] = field(default_factory=list)
    more: bool = False


class CandidateFinder:
    def __init__(self, engine: Engine) -> None:
        self._registry = engine.registry
        self._due = DueJobs(engine.mongo)
        self._cursors = ScanCursors(self._due)
        self._rate_limits = RateLimitStore(engine.mongo)
        self._owners: dict[str, _Owners] = {}
        self.skipped: frozenset[str] = frozenset()
        """Jobs to leave out for now, in any lane."""

    async def find(
        self, queue: str, now: datetime, room: int, workers: int, in_flight: InFlight
    ) -> Candidates:
        """Choose at most `room` jobs of a queue that is served by `workers` workers."""
        search = _Search(queue=queue, now=now, room=room, in_flight=in_flight)
        lane_heads = await self._cursors.lane_heads(queue)
        search.times = [at for at in lane_heads.values() if at > now]
        due = [lane for lane, at in lane_heads.items() if at <= now]
        await self._apply_limits(search, {lane.limit_key for lane in due}, workers)
        open_lanes = [lane for lane in due if search.limits.room(lane, 1) > 0]
        streams = await asyncio.gather(*(self._read(search, lane) for lane in open_lanes))
        if not search.more:
            jobs = by_rank([one for one in streams if one], room, search.limits) if streams else []
        else:
            jobs = await self._choose_by_owner(search, open_lanes, streams)
        # If all that is left is in limited lanes, a lane missing from the cache may fill the room.
        has_room = not search.more or len(jobs) < room
        if has_room and self._cursors.forget_heads(queue):
            return await self.find(queue, now, room, workers, in_flight)
        return Candidates(
            jobs=tuple(jobs), more=search.more, next_at=min(search.times, default=None)
        )

    def mark_served(self, queue: str, last: PendingJob) -> None:
        """Remember the owner of the last job that was dispatched."""
        if queue in self._owners:
            self._owners[queue].served_last = last.owner

    async def _apply_limits(
        self, search: _Search, limit_keys: Iterable[Lane], workers: int
    ) -> None:
        """Read how many jobs the functions' limits allow."""
        for limit_key in limit_keys:
            function = self._registry.get(limit_key.function) if limit_key.function else None
            if function is None:
                continue
            in_flight = len(search.in_flight.get(limit_key, ()))
            if function.concurrency is not None:
                # Twice the limit, so that the next job is there when one ends.
                search.limits.running[limit_key] = 2 * function.concurrency * workers - in_flight
            limit = function.rate_limit
            if limit is not None and limit.key is None:
                bucket = bucket_id(function.name, limit, None)
                quota = await self._rate_limits.read_quota(bucket, limit, search.now)
                self._apply_quota(search, limit_key, quota, in_flight)

    @staticmethod
    def _apply_quota(
        search: _Search, limit_key: Lane, quota: DispatchQuota, in_flight: int
    ) -> None:
        search.limits.starts[limit_key] = quota.free - in_flight
        if quota.next_at is not None:
            search.times.append(quota.next_at)

    async def _read(self, search: _Search, lane: Lane) -> list[PendingJob]:
        """Read a lane's due jobs that are not in Redis yet."""
        in_flight = self._excluded(search, lane)
        room = search.limits.room(lane, search.room)
        found = await self._cursors.first(lane, room + 1, in_flight, search.now)
        later = next((n for n, job in enumerate(found) if job.scheduled_time > search.now), None)
        if later is not None:
            search.times.append(found[later].scheduled_time)
        search.more = search.more or len(found[:later]) > room
        return found[:later][:room]

    def _excluded(self, search: _Search, lane: Lane) -> frozenset[str]:
        in_flight = search.in_flight.get(lane.limit_key, frozenset())
        return in_flight | self.skipped if self.skipped else in_flight

    async def _choose_by_owner(
        self, search: _Search, lanes: list[Lane], streams: list[list[PendingJob]]
    ) -> list[PendingJob]:
        """Choose one job per owner in turn, since more jobs are due than there is room for."""
        owners = self._owners.setdefault(search.queue, _Owners())
        if time.monotonic() >= owners.ask_at:
            await self._ask(owners, lanes)
        all_owners = {owner for lane in lanes for owner in owners.lanes.get(lane, ())}
        if len(all_owners) < 2:
            return by_rank([one for one in streams if one], search.room, search.limits)
        chosen = rotate_after(all_owners, owners.served_last)[:OWNERS_BATCH_SIZE]
        found = await self._read_owners(search, owners, lanes, chosen)
        jobs = {job.id: job for stream in (*streams, *found) for job in stream}
        return round_robin(jobs.values(), search.room, search.limits, owners.served_last)

    async def _ask(self, owners: _Owners, lanes: list[Lane]) -> None:
        began = time.monotonic()
        found = await asyncio.gather(*map(self._due.find_owners, lanes))
        owners.lanes = dict(zip(lanes, found, strict=True))
        now = time.monotonic()
        owners.ask_at = now + max(OWNERS_EVERY_S, (now - began) / OWNERS_SHARE)

    async def _read_owners(
        self, search: _Search, owners: _Owners, lanes: list[Lane], chosen: list[str | None]
    ) -> list[list[PendingJob]]:
        """Read each owner's first jobs in each lane."""
        most = -(-2 * search.room // len(chosen))  # twice the share: some owners have fewer jobs

        async def read(lane: Lane, owner: str | None) -> list[PendingJob]:
            in_flight = self._excluded(search, lane)
            limit = search.limits.room(lane, most)
            found = await self._cursors.first(lane, limit, in_flight, search.now, owner)
            return [job for job in found if job.scheduled_time <= search.now]

        return await asyncio.gather(
            *(
                read(lane, owner)
                for lane in lanes
                for owner in chosen
                if owner in owners.lanes.get(lane, ())
            )
        )
