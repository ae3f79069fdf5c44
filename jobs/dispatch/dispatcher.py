"""Enqueues due jobs in Redis, up to the capacity of the fleet; wakes at the next due time."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from ostinato.jobs.arq_queue.chunk_queue import Chunk, ChunkQueue, QueuedJobs
from ostinato.jobs.arq_queue.connection import REDIS_ERRORS, fix_for
from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.dispatch.candidates import CandidateFinder, Candidates
from ostinato.jobs.dispatch.fairness import (
    Demand,
    OwnerShare,
    split_by_owner,
    weighted_share,
)
from ostinato.jobs.dispatch.local_dispatch import LocalDispatcher
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, PendingJob, owner_tag
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.maintenance.election import CannotLead, leader_lease_ms
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.workers import Fleet, WorkerStore

MAX_CHUNK_SIZE: Final = 250  # as many outcomes as one batched write matches
POLL_INTERVAL_S: Final = 1.0  # the maximum delay of a due job after a lost signal
FLEET_CACHE_S: Final = 1.0
BUSY_S: Final = 0.5

log = get_log(__name__)


class Dispatcher:
    """The leader's dispatcher. A second instance would be redundant but harmless."""

    def __init__(
        self,
        engine: Engine,
        chunks: ChunkQueue,
        workers: WorkerStore,
        queue_settings: QueueSettings,
        local: LocalDispatcher,
    ) -> None:
        self._engine = engine
        self._chunks = chunks
        self._workers = workers
        self._queue_settings = queue_settings
        self._local = local
        self._finder = CandidateFinder(engine)
        self._wake = asyncio.Event()
        self._fleet = Fleet(())
        self._fleet_read_at = -FLEET_CACHE_S
        self._virtual_times: dict[str, float] = {}
        self._failing_since: float | None = None
        """Start of the current series of Redis failures, in event loop time; None if healthy."""
        self._failures = RepeatedWarning(log, "dispatch.failed")
        self._busy_until = 0.0

    @property
    def is_busy(self) -> bool:
        """Return whether more jobs were due within the last BUSY_S than an idle leader runs."""
        return asyncio.get_running_loop().time() < self._busy_until

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Run the dispatch loop; raises CannotLead after Redis has failed for the leader's lease,
        which is half of a worker's."""
        self._failing_since = None
        try:
            while True:
                self._wake.clear()
                wait_s = await self._try_to_dispatch()
                await wait_for_event(self._wake, wait_s)
        finally:
            await self._local.close()

    async def dispatch(self) -> datetime | None:
        """Dispatch once; return the time of the next search, None if unknown."""
        await self._read_fleet()
        in_redis = await self._chunks.queued(self._queue_settings.is_paused)
        queued = self._local.added_to(in_redis)
        # Twice the slots, so that the next job is queued before a slot is freed.
        most = 2 * self._fleet.slots()
        capacity = most - queued.total_within(self._queue_settings.owner_limit(most))
        if capacity <= 0:
            self._set_busy()
            return None
        now = await self._engine.clock.now()
        found = await self._find_candidates(self._local.lookahead(now), capacity, queued)
        if not self._run_locally(list(found.values())):
            found = {queue: candidates.due_by(now) for queue, candidates in found.items()}
            await self._dispatch_by_weight(found, capacity, queued.total)
        times = [each.search_again_at for each in found.values() if each.search_again_at]
        return min(times, default=None)

    def _set_busy(self) -> None:
        self._busy_until = asyncio.get_running_loop().time() + BUSY_S

    async def _try_to_dispatch(self) -> float:
        """Dispatch once; return the delay until the next dispatch, in seconds."""
        try:
            search_again_at = await self.dispatch()
            self._failing_since = None
            if search_again_at is not None:
                now = await self._engine.clock.now()
                wait = self._local.wake_at(search_again_at, now) - now
                return min(POLL_INTERVAL_S, max(0.0, wait.total_seconds()))
        except MongoError as error:
            self._failing_since = None
            self._failures.write(error)
        except REDIS_ERRORS as error:
            self._redis_failed(error)
        return POLL_INTERVAL_S

    def _redis_failed(self, error: Exception) -> None:
        fix = fix_for(error)
        self._failures.write(error, fix=fix)
        now = asyncio.get_running_loop().time()
        self._failing_since = since = now if self._failing_since is None else self._failing_since
        if now - since >= leader_lease_ms(self._engine.settings) / 1000:
            raise CannotLead(str(error), fix)

    def _run_locally(self, found: Sequence[Candidates]) -> bool:
        """Run a single due job in this process if it is idle; return whether it did."""
        jobs = [job for candidates in found for job in candidates.jobs]
        if len(jobs) != 1 or any(candidates.has_backlog for candidates in found):
            return False
        if not self._local.can_run(jobs[0]):
            return False
        self._local.run(jobs[0]).add_done_callback(self._local_done)
        return True

    def _local_done(self, task: "asyncio.Task[bool]") -> None:
        if task.cancelled():
            return
        if error := task.exception():
            log.error("local_dispatch.failed", error=str(error), exc_info=error)
        elif task.result():
            self.wake()

    async def _dispatch_by_weight(
        self, found: Mapping[str, Candidates], capacity: int, queued: int
    ) -> None:
        """Enqueue candidates in Redis, in proportion to the weights of the queues."""
        demands = {
            queue: Demand(len(candidates.jobs), self._queue_settings.weight_of(queue))
            for queue, candidates in found.items()
        }
        shares = weighted_share(capacity, demands, self._virtual_times)
        self._virtual_times = shares.virtual_times
        is_full = queued + sum(shares.granted.values()) >= self._fleet.slots()
        for queue, candidates in found.items():
            # If slots are full or jobs remain, the worker signals the dispatcher after its claim.
            jobs = candidates.jobs[: shares.granted[queue]]
            await self._enqueue(queue, jobs, is_full or candidates.has_backlog)
        if any(shares.granted.values()):
            self._set_busy()
            self._engine.notifier.notify(Signal.WORK)

    async def _find_candidates(
        self, due_until: datetime, capacity: int, queued: QueuedJobs
    ) -> dict[str, Candidates]:
        capacities: dict[str, int] = {}
        owner_shares: dict[str, OwnerShare] = {}
        for queue in self._fleet.queues():
            if self._queue_settings.is_paused(queue):
                continue
            most = 2 * self._fleet.slots(queue)
            limit = self._queue_settings.owner_limit(most)
            capacities[queue] = min(capacity, most - queued.of_queue_within(queue, limit))
            if limit is not None:
                owner_shares[queue] = OwnerShare(
                    limit=limit, queued=queued.owner_tag_counts.get(queue, Counter())
                )
        open_queues = [queue for queue, free in capacities.items() if free > 0]
        self._finder.owner_shares = owner_shares
        self._finder.skipped = self._fleet.unwritable() | self._engine.store.poisoned.unwritable()
        found = await asyncio.gather(
            *(
                self._find_in_queue(queue, due_until, capacities[queue], queued)
                for queue in open_queues
            )
        )
        by_queue = zip(open_queues, found, strict=True)
        return {queue: candidates for queue, candidates in by_queue if candidates is not None}

    async def _find_in_queue(
        self, queue: str, due_until: datetime, capacity: int, queued: QueuedJobs
    ) -> Candidates | None:
        workers = self._fleet.size(queue)
        try:
            return await self._finder.find(queue, due_until, capacity, workers, queued.ids)
        except (*REDIS_ERRORS, MongoError):
            raise
        except Exception:  # one queue's error must not block the others
            log.exception("queue.not_dispatched", queue=queue)
            return None

    async def _enqueue(self, queue: str, jobs: Sequence[PendingJob], notify: bool) -> None:
        by_limit_lane: dict[Lane, list[PendingJob]] = {}
        for job in jobs:
            by_limit_lane.setdefault(job.lane.limit_lane, []).append(job)
        slots = self._fleet.slots(queue)
        owner_limit = self._queue_settings.owner_limit(slots)
        for limit_lane, lane_jobs in by_limit_lane.items():
            size = self._chunk_size_of(limit_lane, len(lane_jobs))
            parts = (
                [lane_jobs]
                if owner_limit is None
                else split_by_owner(lane_jobs, slots, owner_limit)
            )
            for part in parts:
                for start in range(0, len(part), size):
                    await self._chunks.put(_chunk(part[start : start + size], limit_lane, notify))
        if jobs:
            self._finder.mark_served(queue, jobs[-1])

    def _chunk_size_of(self, limit_lane: Lane, count: int) -> int:
        size = min(MAX_CHUNK_SIZE, -(-count // max(1, self._fleet.size(limit_lane.queue))))
        function = self._engine.registry.get(limit_lane.function) if limit_lane.function else None
        return min(size, function.concurrency or size) if function else size

    async def _read_fleet(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._fleet_read_at < FLEET_CACHE_S:
            return
        self._fleet = await self._workers.read_fleet()
        self._fleet_read_at = now


def _chunk(jobs: Sequence[PendingJob], limit_lane: Lane, notify: bool) -> Chunk:
    return Chunk(
        ids=tuple(job.id for job in jobs),
        owner_tags=tuple(owner_tag(job.owner) for job in jobs),
        lane=limit_lane,
        notify_after_claim=notify or limit_lane.function is not None,
    )
