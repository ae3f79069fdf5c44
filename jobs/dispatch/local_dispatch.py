"""Runs a single due job in the leader's own executor, without a message through Redis.

The leader looks for such a job slightly early and claims it exactly when it is due. Like a message
in Redis, this is a hint: the claim decides, and a job that is not claimed stays pending.
"""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, Protocol

from ostinato.jobs.arq_queue.chunk_queue import QueuedJobs
from ostinato.jobs.clock import Clock
from ostinato.jobs.lanes import Lane, PendingJob

LOOKAHEAD: Final = timedelta(milliseconds=10)  # twice the time that finding a job takes


class LocalExecutor(Protocol):
    """What runs jobs in this process."""

    @property
    def taken_slots(self) -> int: ...

    def has_room(self, lane: Lane) -> bool: ...

    def is_running(self, job_id: str) -> bool: ...

    async def take_chunk(self, ids: list[str], more: bool, lane: Lane) -> bool: ...


class LocalDispatcher:
    """Jobs that wait here until they are due, usually one. A busy leader takes none."""

    def __init__(self, clock: Clock, executor: LocalExecutor) -> None:
        self._clock = clock
        self._executor = executor
        self._jobs: dict[asyncio.Task[bool], PendingJob] = {}

    def lookahead(self, now: datetime) -> datetime:
        """Return the latest due time to look for."""
        return now + LOOKAHEAD if self._is_idle else now

    def wake_at(self, due: datetime, now: datetime) -> datetime:
        """Return when to look for the next due job, which was not found yet."""
        has_time = self._executor.taken_slots <= len(self._jobs)
        return due - LOOKAHEAD if has_time and due - now > LOOKAHEAD else due

    def can_run(self, job: PendingJob) -> bool:
        """Return whether this worker may run a job itself."""
        return self._is_idle and self._executor.has_room(job.lane)

    def run(self, job: PendingJob) -> "asyncio.Task[bool]":
        """Claim and start a job when it is due; the task returns whether to dispatch again."""
        task = asyncio.create_task(self._claim(job), name="local-dispatch")
        self._jobs[task] = job
        task.add_done_callback(self._jobs.pop)
        return task

    def added_to(self, queued: QueuedJobs) -> QueuedJobs:
        """Add the jobs that wait here to those in Redis."""
        counts = defaultdict(int, queued.counts)
        ids: defaultdict[Lane, frozenset[str]] = defaultdict(frozenset, queued.ids)
        for job in self._jobs.values():
            counts[job.lane.limit_key] += 1
            ids[job.lane.limit_key] |= {job.id}
        return QueuedJobs(dict(counts), dict(ids))

    async def close(self) -> None:
        """Drop the jobs that wait here; the executor completes claims that were sent."""
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
        more = await self._executor.take_chunk([job.id], False, job.lane)
        # A job that is not due yet by the server's clock was not claimed: look for it again.
        return more or not self._executor.is_running(job.id)
