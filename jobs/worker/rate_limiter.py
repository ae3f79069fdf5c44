"""Holds functions to their rate limits: asks for starts just before a claim, when slots are had."""

from collections import defaultdict
from collections.abc import Sequence

from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.due_jobs import ClaimableJob, DueJobs
from ostinato.jobs.mongo.rate_limits import RateLimitStore, StartRequest, bucket_id
from ostinato.jobs.registry import Function


class RateLimiter:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._buckets = RateLimitStore(engine.mongo)
        self._due = DueJobs(engine.mongo)

    async def acquire(self, ids: list[str], lane: Lane, offset_ms: int) -> list[str]:
        """Give those of `ids` that may start now; the others have later starts from here on."""
        function = self._function(lane)
        if function is None or function.rate_limit is None:
            return ids
        granted: list[str] = []
        by_bucket: defaultdict[str, list[ClaimableJob]] = defaultdict(list)
        for job in await self._due.find_claimable(ids, function.rate_limit.key, offset_ms):
            if await self._engine.store.is_timeline_full(job.id, job.version):
                granted.append(job.id)  # it fails at its claim: a later start would be an event
                continue
            bucket = bucket_id(function.name, function.rate_limit, job.key)
            by_bucket[bucket].append(job)
        for bucket, jobs in by_bucket.items():
            granted += await self._acquire_from(bucket, function, jobs, offset_ms)
        return granted

    async def _acquire_from(
        self, bucket: str, function: Function, jobs: Sequence[ClaimableJob], offset_ms: int
    ) -> list[str]:
        assert function.rate_limit is not None
        ids = [job.id for job in sorted(jobs, key=lambda job: not job.lane.has_reservation)]
        reserved = sum(job.lane.has_reservation for job in jobs)
        asked = StartRequest(new=len(jobs) - reserved, reserved=reserved)
        grant = await self._buckets.acquire(bucket, function.rate_limit, asked, offset_ms)
        starts = dict(zip(ids[grant.start_now :], grant.start_at, strict=True))
        if starts:
            await self._engine.store.reserve(starts, offset_ms)
        return ids[: grant.start_now]

    def _function(self, lane: Lane) -> Function | None:
        return self._engine.registry.get(lane.function) if lane.function else None
