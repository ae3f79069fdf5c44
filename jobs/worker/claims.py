"""Claims due jobs for free slots, within the rate limits of their functions."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import Lane
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.claimed_jobs import ClaimedJob, MalformedJob
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.due_jobs import ClaimableJob, DueJobs
from ostinato.jobs.mongo.rate_limits import RateLimitStore, StartRequest, bucket_id
from ostinato.jobs.registry import Function
from ostinato.jobs.worker.slots import ClaimSlots, Slots

StartClaimed = Callable[[ClaimedJob | MalformedJob, ClaimSlots], Awaitable[None]]
"""Starts a claimed job in one of the claim's slots."""

log = get_log(__name__)


class RateLimiter:
    """Acquires starts from the functions' rate limits, just before the claim."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rate_limits = RateLimitStore(engine.mongo)
        self._due = DueJobs(engine.mongo)

    async def acquire(self, ids: list[str], lane: Lane, clock_offset_ms: int) -> list[str]:
        """Return the subset of `ids` that may start now; the others are rescheduled."""
        function = self._function(lane)
        if function is None or function.rate_limit is None:
            return ids
        granted: list[str] = []
        by_bucket: defaultdict[str, list[ClaimableJob]] = defaultdict(list)
        for job in await self._due.find_claimable(ids, function.rate_limit.key, clock_offset_ms):
            if await self._engine.store.is_timeline_full(job.id, job.version):
                granted.append(job.id)  # claimed in order to fail: rescheduling adds an event
                continue
            bucket = bucket_id(function.name, function.rate_limit, job.key)
            by_bucket[bucket].append(job)
        for bucket, jobs in by_bucket.items():
            granted += await self._acquire_from(bucket, function, jobs, clock_offset_ms)
        return granted

    async def _acquire_from(
        self, bucket: str, function: Function, jobs: Sequence[ClaimableJob], clock_offset_ms: int
    ) -> list[str]:
        assert function.rate_limit is not None
        ids = [job.id for job in sorted(jobs, key=lambda job: not job.lane.has_reservation)]
        reserved = sum(job.lane.has_reservation for job in jobs)
        request = StartRequest(new=len(jobs) - reserved, reserved=reserved)
        grant = await self._rate_limits.acquire(
            bucket, function.rate_limit, request, clock_offset_ms
        )
        starts = dict(zip(ids[grant.start_now :], grant.start_at, strict=True))
        if starts:
            await self._engine.store.reserve(starts, clock_offset_ms)
        return ids[: grant.start_now]

    def _function(self, lane: Lane) -> Function | None:
        return self._engine.registry.get(lane.function) if lane.function else None


class Claimer:
    """Claims jobs and starts each in one of the claim's slots."""

    def __init__(self, engine: Engine, worker_id: str, slots: Slots, start: StartClaimed) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._slots = slots
        self._start_claimed = start
        self._rate_limiter = RateLimiter(engine)
        self.pending: dict[asyncio.Task[None], list[str]] = {}
        """Job ids by claim, for claims in flight or with jobs not yet started."""

    def start_claim(self, ids: list[str], lane: Lane) -> asyncio.Task[None]:
        """Claim `ids` in a new task; the caller has acquired one slot for each."""
        claim_slots = ClaimSlots(self._slots, lane, len(ids))
        claim = asyncio.create_task(self._claim(ids, claim_slots), name="claim")
        self.pending[claim] = ids
        claim.add_done_callback(self.pending.pop)
        claim.add_done_callback(lambda _: claim_slots.release())  # also if it never started
        return claim

    async def _claim(self, ids: list[str], claim_slots: ClaimSlots) -> None:
        """Claim `ids`, start the claimed jobs, and release the unused slots."""
        claimed: list[ClaimedJob | MalformedJob] = []
        try:
            clock_offset_ms = await self._engine.clock.offset_ms()
            granted = await self._rate_limiter.acquire(ids, claim_slots.lane, clock_offset_ms)
            if granted:
                store = self._engine.store
                claimed = await store.claim(granted, self._worker_id, new_id(), clock_offset_ms)
        except MongoError as error:
            # If only the reply was lost, the reconciler hands back the claimed jobs.
            log.warning("claim.unanswered", jobs=len(ids), error=str(error))
        finally:
            claim_slots.release(len(ids) - len(claimed))
        for job in claimed:
            try:
                await self._start_claimed(job, claim_slots)
            except (MongoError, TimeoutError) as error:  # the reconciler hands it back
                log.warning("claim.not_started", job_id=job.id, error=str(error))
