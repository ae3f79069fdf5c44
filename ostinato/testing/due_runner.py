"""Runs the jobs that fall due while a test moves the clock.

Claims, calls and outcomes are those of a worker; the order of due times replaces the dispatcher.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, Self

from ostinato.jobs.arq_queue.chunk_queue import Chunk
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import Lane, owner_tag
from ostinato.jobs.records import JobState
from ostinato.jobs.worker.executor import Executor, RunnerOptions
from ostinato.jobs.worker.function_stats import FunctionStats, SharingClass
from ostinato.jobs.worker.reconciler import LeaseReconciler

FIRST_READ: Final = 10  # pending jobs, of which few have the first due time
MAX_READ: Final = 5_000  # jobs with one due time
MAX_CHAIN_GROUP: Final = 50  # as many as share a transaction
MAX_RUNS_AT_ONE_TIME: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DueJob:
    """A pending job whose due time has come."""

    id: str
    lane: Lane
    owner: str | None
    function_name: str
    scheduled_time: datetime

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Return its place in the order of starts: due time, priority, age."""
        return self.scheduled_time, -self.lane.priority, self.id


class EveryQueue(tuple[str, ...]):
    """The names of the queues that the harness serves: all."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return True


class AlwaysQuick(FunctionStats):
    """Statistics with which all mutation functions share transactions: on a slow machine, measured
    ones would change the order of jobs."""

    def sharing_class(self, name: str) -> SharingClass:
        return SharingClass.ANY


class DueRunner:
    """Runs due jobs in this process, in order."""

    def __init__(self, engine: Engine, concurrency: int, seed: int) -> None:
        self.concurrency = concurrency
        """How many jobs with the same due time run at once."""
        self._engine = engine
        self._queues = QueueSettings(engine.mongo, lambda: None)  # owners do not share slots
        options = RunnerOptions(stats=AlwaysQuick(), draw=random.Random(seed).random)
        worker_id = new_id()
        self._executor = Executor(engine, worker_id, self._queues, lambda: None, options)
        self._reconciler = LeaseReconciler(engine, worker_id, self._executor)

    @classmethod
    @asynccontextmanager
    async def open(cls, engine: Engine, concurrency: int, seed: int) -> AsyncIterator[Self]:
        """Build a runner, which also stops running jobs that are canceled; close it on exit."""
        runner = cls(engine, concurrency, seed)
        reconciling = asyncio.create_task(runner._reconciler.run())
        try:
            yield runner
        finally:
            reconciling.cancel()
            await asyncio.gather(reconciling, return_exceptions=True)
            await runner._executor.close(0.0)

    async def run_until(self, end: datetime) -> int:
        """Run every job that falls due up to `end`, each at its due time, and then move the clock
        there; return the number of starts.

        Queues that are paused or resumed meanwhile are noticed by the next call.

        Raises RuntimeError if jobs of one due time schedule others for the same time without end.
        """
        await self._queues.refresh()
        now = await self._engine.clock.now()
        started = since_move = 0
        while jobs := await self._next_jobs(end):
            if jobs[0].scheduled_time > now:
                now, since_move = jobs[0].scheduled_time, 0
                await self._engine.clock.hold_at(now)
            since_move += len(jobs)
            if since_move > MAX_RUNS_AT_ONE_TIME:
                raise RuntimeError(_describe_endless(jobs[0].function_name, now))
            for group in self._groups(jobs):
                await self._run(group)
            started += len(jobs)
        if end > now:
            await self._engine.clock.hold_at(end)
        return started

    async def _next_jobs(self, end: datetime) -> list[DueJob]:
        """Return the jobs with the earliest due time up to `end`, in order, without those of paused
        queues."""
        jobs = await self._find_pending({"$lte": end}, FIRST_READ)
        first = [job for job in jobs if job.scheduled_time == jobs[0].scheduled_time]
        if len(first) == FIRST_READ:
            first = await self._find_pending(first[0].scheduled_time, MAX_READ)
        return sorted(first, key=lambda job: job.order)

    async def _find_pending(self, scheduled_time: object, limit: int) -> list[DueJob]:
        due = {"state": JobState.PENDING.value, "scheduledTime": scheduled_time}
        paused = {"queue": {"$nin": names}} if (names := self._queues.paused()) else {}
        found = self._engine.mongo["jobs"].find(
            {**due, **paused},
            {"lane": 1, "owner": 1, "functionName": 1, "scheduledTime": 1},
            sort=[("scheduledTime", 1), ("_id", 1)],
            limit=limit,
            hint="due",  # other indexes contain all jobs that have ended
        )
        return list(map(_due_job, await found.to_list(None)))

    def _groups(self, jobs: Sequence[DueJob]) -> list[list[DueJob]]:
        """Split jobs into groups whose members run at once.

        Ostinato's own jobs, such as the ticks of crons, share a transaction, in which they run one
        by one.
        """
        groups: list[list[DueJob]] = []
        for is_chain, members in groupby(jobs, key=self._is_chain):
            ordered = list(members)
            size = MAX_CHAIN_GROUP if is_chain else self.concurrency
            groups += [ordered[at : at + size] for at in range(0, len(ordered), size)]
        return groups

    def _is_chain(self, job: DueJob) -> bool:
        function = self._engine.registry.get(job.function_name)
        return function is not None and function.is_chain

    async def _run(self, group: Sequence[DueJob]) -> None:
        """Run jobs at once, and wait until they have ended or wait for their next attempt."""
        by_lane: dict[Lane, list[DueJob]] = {}
        for job in group:
            by_lane.setdefault(job.lane.limit_lane, []).append(job)
        for lane, jobs in by_lane.items():
            ids, tags = tuple(job.id for job in jobs), tuple(owner_tag(job.owner) for job in jobs)
            await self._executor.take_chunk(Chunk(ids=ids, owner_tags=tags, lane=lane))
        await self._executor.wait_until_idle()


def _due_job(row: dict[str, object]) -> DueJob:
    owner, at = row["owner"], row["scheduledTime"]
    assert isinstance(at, datetime)
    return DueJob(
        id=str(row["_id"]),
        lane=Lane.parse(str(row["lane"])) or Lane(),
        owner=None if owner is None else str(owner),
        function_name=str(row["functionName"]),
        scheduled_time=at,
    )


def _describe_endless(function_name: str, now: datetime) -> str:
    return (
        f"more than {MAX_RUNS_AT_ONE_TIME:,} jobs were due at {now.isoformat()}, the next one of "
        f"{function_name}: does it schedule itself without a delay?"
    )
