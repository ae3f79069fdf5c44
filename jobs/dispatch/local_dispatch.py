"""Runs a single due job in the leader's own executor, bypassing Redis.

The leader searches slightly ahead of time, and claims the job at its due time. As with a chunk in
Redis, only the claim decides whether the job starts; an unclaimed job stays pending.
"""

import asyncio
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Final, Protocol

from ostinato.jobs.arq_queue.chunk_queue import Chunk, QueuedJobs
from ostinato.jobs.clock import Clock
from ostinato.jobs.lanes import Lane, PendingJob, owner_tag

LOOKAHEAD: Final = timedelta(milliseconds=10)  # twice the duration of a search


class LocalExecutor(Protocol):
    """The part of the executor that local dispatch uses."""

    @property
    def taken_slots(self) -> int: ...

    def has_free_slot(self, lane: Lane) -> bool: ...

    def holds(self, job_id: str) -> bool: ...

    async def take_chunk(self, chunk: Chunk) -> bool: ...


class LocalDispatcher:
    """Runs a job in the leader at its due time, at most one at a time, while the leader is idle."""

    def __init__(self, clock: Clock, executor: LocalExecutor) -> None:
        self._clock = clock
        self._executor = executor
        self._jobs: dict[asyncio.Task[bool], PendingJob] = {}

    def lookahead(self, now: datetime) -> datetime:
        """Return the latest due time to search for."""
        return now + LOOKAHEAD if self._is_idle else now

    def wake_at(self, due: datetime, now: datetime) -> datetime:
        """Return the time of the next search, for a job due at `due`."""
        can_search_early = self._executor.taken_slots <= len(self._jobs)
        return due - LOOKAHEAD if can_search_early and due - now > LOOKAHEAD else due

    def can_run(self, job: PendingJob) -> bool:
        """Return whether this process is idle and may run the job."""
        return self._is_idle and self._executor.has_free_slot(job.lane)

    def run(self, job: PendingJob) -> "asyncio.Task[bool]":
        """Claim and start a job at its due time; the task returns whether to dispatch again."""
        task = asyncio.create_task(self._claim(job), name="local-dispatch")
        self._jobs[task] = job
        task.add_done_callback(self._jobs.pop)
        return task

    def added_to(self, queued: QueuedJobs) -> QueuedJobs:
        """Return the jobs in Redis plus the local ones."""
        counts = defaultdict(int, queued.counts)
        ids: defaultdict[Lane, frozenset[str]] = defaultdict(frozenset, queued.ids)
        tag_counts = defaultdict(Counter, queued.owner_tag_counts)
        for job in self._jobs.values():
            counts[job.lane.limit_lane] += 1
            ids[job.lane.limit_lane] |= {job.id}
            tag_counts[job.lane.queue] += Counter([owner_tag(job.owner)])
        return QueuedJobs(dict(counts), dict(ids), dict(tag_counts))

    async def close(self) -> None:
        """Drop the waiting jobs; the executor completes claims in flight."""
        tasks = list(self._jobs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _is_idle(self) -> bool:
        return not self._jobs and not self._executor.taken_slots

    async def _claim(self, job: PendingJob) -> bool:
        while (left := job.scheduled_time - await self._clock.now()) > timedelta(0):
            await asyncio.sleep(left.total_seconds())
        chunk = Chunk(ids=(job.id,), owner_tags=(owner_tag(job.owner),), lane=job.lane)
        has_remaining = await self._executor.take_chunk(chunk)
        # The claim fails if the job is not yet due by MongoDB's clock: search again.
        return has_remaining or not self._executor.holds(job.id)
