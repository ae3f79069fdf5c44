"""Claims due jobs for free slots, within the rate limits of their functions."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.arq_queue.chunk_queue import Chunk, SlotsAcquired
from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import UNRESOLVED, Lane
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.claimed_jobs import ClaimedJob, MalformedJob
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.due_jobs import ClaimableJob, DueJobs
from ostinato.jobs.mongo.rate_limits import RateLimitStore, StartRequest, bucket_id
from ostinato.jobs.mongo.unresolved_jobs import UnresolvedJobs
from ostinato.jobs.registry import Function
from ostinato.jobs.worker.slots import ClaimSlots, JobOwner, Slot, Slots

CLAIM_BATCH_SIZE: Final = 8 * 1024 * 1024 // MAX_ARGS_BYTES  # limits a claim's reply to 8 MiB
CLAIM_CHUNK_TIMEOUT_S: Final = 3.0  # after this, unclaimed jobs of the chunk stay pending

StartClaimed = Callable[[ClaimedJob | MalformedJob, ClaimSlots], Awaitable[None]]
"""Starts a claimed job in one of the claim's slots."""

log = get_log(__name__)


class RateLimiter:
    """Acquires starts from the functions' rate limits, just before the claim."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rate_limits = RateLimitStore(engine.mongo)
        self._due = DueJobs(engine.mongo)

    async def acquire(self, ids: list[str], lane: Lane, clock_time: ClockTime) -> list[str]:
        """Return the subset of `ids` that may start now; the others are rescheduled."""
        function = self._function(lane)
        if function is None or function.rate_limit is None:
            return ids
        granted: list[str] = []
        by_bucket: defaultdict[str, list[ClaimableJob]] = defaultdict(list)
        for job in await self._due.find_claimable(ids, function.rate_limit.key, clock_time):
            if await self._engine.store.is_timeline_full(job.id, job.version):
                granted.append(job.id)  # claimed in order to fail: rescheduling adds an event
                continue
            bucket = bucket_id(function.name, function.rate_limit, job.key)
            by_bucket[bucket].append(job)
        for bucket, jobs in by_bucket.items():
            granted += await self._acquire_from(bucket, function, jobs, clock_time)
        return granted

    async def _acquire_from(
        self, bucket: str, function: Function, jobs: Sequence[ClaimableJob], clock_time: ClockTime
    ) -> list[str]:
        assert function.rate_limit is not None
        ids = [job.id for job in sorted(jobs, key=lambda job: not job.lane.has_reservation)]
        reserved = sum(job.lane.has_reservation for job in jobs)
        request = StartRequest(new=len(jobs) - reserved, reserved=reserved)
        grant = await self._rate_limits.acquire(bucket, function.rate_limit, request, clock_time)
        starts = dict(zip(ids[grant.start_now :], grant.start_at, strict=True))
        if starts:
            await self._engine.store.reserve(starts, clock_time)
        return ids[: grant.start_now]

    def _function(self, lane: Lane) -> Function | None:
        return self._engine.registry.get(lane.function) if lane.function else None


class Claimer:
    """Claims jobs and starts each in one of the claim's slots."""

    def __init__(
        self,
        engine: Engine,
        worker_id: str,
        queue_settings: QueueSettings,
        slots: Slots,
        start: StartClaimed,
    ) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._queue_settings = queue_settings
        self._slots = slots
        self._start_claimed = start
        self._rate_limiter = RateLimiter(engine)
        self._unresolved = UnresolvedJobs(engine.mongo)
        self.pending: dict[asyncio.Task[None], list[str]] = {}
        """Job ids by claim, for claims in flight or with jobs not yet started."""

    def is_serving(self, lane: Lane) -> bool:
        """Return whether this worker serves the lane's queue, and the queue is not paused."""
        is_own = lane.queue in self._engine.settings.queues
        return is_own and not self._queue_settings.is_paused(lane.queue)

    async def take_chunk(self, chunk: Chunk, slots_acquired: SlotsAcquired) -> bool:
        """Claim and start a chunk's jobs as slots become free, for at most CLAIM_CHUNK_TIMEOUT_S.

        The others stay pending. Returns whether to signal the dispatcher: if `notify_after_claim`
        is set, or jobs of the chunk are left. If no owner of the chunk may start a job, returns
        False, since the dispatcher would only send the same jobs again.
        """
        jobs = [JobOwner(*pair) for pair in zip(chunk.ids, chunk.owner_tags, strict=True)]
        remaining = jobs
        try:
            async with asyncio.timeout(CLAIM_CHUNK_TIMEOUT_S):
                while remaining and (acquired := await self._acquire_slots(chunk, remaining)):
                    slots_acquired(len(acquired))
                    remaining = _without(remaining, acquired)
                    # A claim in flight takes effect even if this chunk times out.
                    await asyncio.shield(self.start_claim(acquired, chunk.lane))
        except TimeoutError:
            return True
        has_free_slot = self._slots.has_free_slot(chunk.lane) and self.is_serving(chunk.lane)
        if chunk.owner_tag is None and remaining == jobs and has_free_slot:
            return False
        return chunk.notify_after_claim or bool(remaining)

    def start_claim(self, jobs: Sequence[JobOwner], lane: Lane) -> asyncio.Task[None]:
        """Claim jobs in a new task; the caller has acquired one slot for each."""
        claim_slots = ClaimSlots(self._slots, lane, jobs)
        ids = [job.job_id for job in jobs]
        claim = asyncio.create_task(self._claim(ids, claim_slots), name="claim")
        self.pending[claim] = ids
        claim.add_done_callback(self.pending.pop)
        claim.add_done_callback(lambda _: claim_slots.keep(()))  # also if it never started
        return claim

    async def _acquire_slots(self, chunk: Chunk, jobs: list[JobOwner]) -> list[JobOwner]:
        lane = chunk.lane
        if not self.is_serving(lane):
            return []
        acquired = await self._slots.acquire(
            lane, jobs, CLAIM_BATCH_SIZE, wait_for_owner=chunk.owner_tag is not None
        )
        if not self.is_serving(lane):  # the queue was paused during the wait
            for job in acquired:
                self._slots.release(Slot(lane, job.owner_tag))
            return []
        return acquired

    async def _claim(self, ids: list[str], claim_slots: ClaimSlots) -> None:
        """Claim `ids`, start the claimed jobs, and release the unused slots."""
        claimed: list[ClaimedJob | MalformedJob] = []
        try:
            clock_time = await self._engine.clock.read()
            startable = await self._resolve(ids, claim_slots.lane)
            granted = await self._rate_limiter.acquire(startable, claim_slots.lane, clock_time)
            if granted:
                store = self._engine.store
                claimed = await store.claim(granted, self._worker_id, new_id(), clock_time)
        except MongoError as error:
            # If only the reply was lost, the reconciler hands back the claimed jobs.
            log.warning("claim.unanswered", jobs=len(ids), error=str(error))
        finally:
            claim_slots.keep([job.id for job in claimed])
        for job in claimed:
            try:
                await self._start_claimed(job, claim_slots)
            except (MongoError, TimeoutError) as error:  # the reconciler hands it back
                log.warning("claim.not_started", job_id=job.id, error=str(error))

    async def _resolve(self, ids: list[str], lane: Lane) -> list[str]:
        """Resolve the functions of jobs that were scheduled by name; return the startable jobs."""
        if lane.function != UNRESOLVED:
            return ids
        limited = await self._unresolved.resolve(ids, self._engine.registry.get)
        if limited:
            self._engine.notifier.notify(Signal.DUE)
        return [job_id for job_id in ids if job_id not in limited]


def _without(jobs: list[JobOwner], acquired: list[JobOwner]) -> list[JobOwner]:
    if jobs[: len(acquired)] == acquired:
        return jobs[len(acquired) :]
    taken = set(acquired)
    return [job for job in jobs if job not in taken]
