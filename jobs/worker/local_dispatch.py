"""Runs what the leader finds while it is idle in its own executor, with no word to Redis between.

So it can be looked for a little early, and be claimed at the very time. It is a hint as Redis is:
the claim decides, and what it does not take is pending still.
"""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from ostinato.jobs.arq_queue.chunk_queue import QueuedJobs
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.worker.executor import Executor

LOOKAHEAD: Final = timedelta(milliseconds=10)  # what looking takes, and as much again


class LocalDispatcher:
    """Jobs that wait for their time, one as a rule; a leader with anything to do takes none."""

    def __init__(self, engine: Engine, executor: Executor) -> None:
        self._engine = engine
        self._executor = executor
        self._jobs: dict[asyncio.Task[bool], PendingJob] = {}

    def lookahead(self, now: datetime) -> datetime:
        """Say up to which due time there is sense in looking."""
        return now + LOOKAHEAD if self._is_idle else now

    def wake_at(self, due: datetime, now: datetime) -> datetime:
        """Say when to look for what is due next, and was not found yet."""
        has_time = self._executor.slots.taken <= len(self._jobs)
        return due - LOOKAHEAD if has_time and due - now > LOOKAHEAD else due

    def can_run(self, job: PendingJob) -> bool:
        """Tell whether this worker may run a job without asking the others."""
        return self._is_idle and self._executor.has_room(job.lane)

    def run(self, job: PendingJob) -> "asyncio.Task[bool]":
        """Claim a job at its time; gives whether there may be more to dispatch then."""
        task = asyncio.create_task(self._claim(job), name="at-hand")
        self._jobs[task] = job
        task.add_done_callback(self._jobs.pop)
        return task

    def added_to(self, queued: QueuedJobs) -> QueuedJobs:
        """Count what is at hand to what waits in Redis."""
        counts = defaultdict(int, queued.counts)
        ids: defaultdict[Lane, frozenset[str]] = defaultdict(frozenset, queued.ids)
        for job in self._jobs.values():
            counts[job.lane.limit_key] += 1
            ids[job.lane.limit_key] |= {job.id}
        return QueuedJobs(dict(counts), dict(ids))

    async def close(self) -> None:
        """Leave the rest to others; a claim that is sent is seen through by the executor."""
        tasks = list(self._jobs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _is_idle(self) -> bool:
        return not self._jobs and not self._executor.slots.taken

    async def _claim(self, job: PendingJob) -> bool:
        while (left := job.scheduled_time - await self._engine.clock.now()) > timedelta(0):
            await asyncio.sleep(left.total_seconds())
        more = await self._executor.take_chunk([job.id], False, job.lane)
        # By the server's clock it may not be due yet: then it is not ours, and looked at again.
        return more or job.id not in self._executor.running
