"""The jobs that an idle leader runs itself, and those it sends to Redis for all workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue, QueuedJobs
from ostinato.jobs.arq_queue.connection import connect
from ostinato.jobs.clock import Clock
from ostinato.jobs.dispatch.candidates import Candidates
from ostinato.jobs.dispatch.dispatcher import Dispatcher
from ostinato.jobs.dispatch.local_dispatch import LOOKAHEAD, LocalDispatcher
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.clock import ServerClock
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Mode
from ostinato.jobs.worker.executor import Executor
from tests.engine.functions import gate
from tests.engine.rig import Rig

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SOON = LOOKAHEAD / 2
SLOTS = 10


@dataclass(frozen=True)
class Leader:
    dispatcher: Dispatcher
    local: LocalDispatcher
    chunks: ChunkQueue

    async def dispatch(self) -> int:
        """Dispatch once; return how many jobs wait in Redis."""
        await self.dispatcher.dispatch()
        return (await self.chunks.queued()).total


class ManualClock(Clock):
    """A clock that a test sets."""

    def __init__(self, mongo: Mongo, time: datetime) -> None:
        super().__init__(ServerClock(mongo), Mode.TEST)
        self.time = time

    async def now(self) -> datetime:
        return self.time


@asynccontextmanager
async def open_leader(engine: Engine) -> AsyncIterator[Leader]:
    """Open a leader that dispatches only on request, and takes no jobs from Redis."""
    await WorkerStore(engine.mongo).register("w", {"concurrency": SLOTS, "queues": ["default"]})
    redis = connect(engine.settings.redis_url, f"{engine.settings.redis_prefix}:queue")
    queues = QueueSettings(engine.mongo, lambda: None)
    executor = Executor(engine, "w", queues, lambda: None)
    local, chunks = LocalDispatcher(engine.clock, executor), ChunkQueue(redis)
    dispatcher = Dispatcher(engine, chunks, WorkerStore(engine.mongo), queues, local)
    yield Leader(dispatcher, local, chunks)
    await local.close()
    await executor.close(0)
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def leader(rig_without_worker: Rig) -> AsyncIterator[Leader]:
    async with open_leader(rig_without_worker.engine) as leader:
        yield leader


@pytest.fixture
async def clock(rig_without_worker: Rig) -> ManualClock:
    return ManualClock(rig_without_worker.engine.mongo, await rig_without_worker.engine.now())


@pytest.fixture
async def early_leader(rig_without_worker: Rig, clock: ManualClock) -> AsyncIterator[Leader]:
    """Return a leader with a manual clock."""
    async with open_leader(replace(rig_without_worker.engine, clock=clock)) as leader:
        yield leader


async def due_soon(rig: Rig, clock: ManualClock) -> str:
    return await rig.schedule_at(await rig.build_job("echo"), clock.time + SOON)


async def pending(rig: Rig, delay: timedelta) -> PendingJob:
    """Schedule a job, and return it as the dispatcher reads it."""
    new_job = await rig.build_job("echo")
    job_id = await rig.schedule_at(new_job, new_job.scheduled_time + delay)
    due = (await rig.job(job_id))["scheduledTime"]
    return PendingJob(id=job_id, lane=Lane(), scheduled_time=due, owner="alice")


async def test_idle_leader_runs_the_only_job_without_redis(
    rig_without_worker: Rig, leader: Leader
) -> None:
    job_id = await rig_without_worker.schedule("echo")
    assert await leader.dispatch() == 0
    assert (await rig_without_worker.wait_until_ended(job_id))["state"] == "success"


async def test_several_jobs_are_sent_to_all_workers(
    rig_without_worker: Rig, leader: Leader
) -> None:
    ids = [await rig_without_worker.schedule("echo") for _ in range(2)]
    assert await leader.dispatch() == 2
    assert {(await rig_without_worker.job(job_id))["state"] for job_id in ids} == {"pending"}


async def test_leader_sends_the_only_job_that_fits_to_all_workers(
    rig_without_worker: Rig, leader: Leader
) -> None:
    for _ in range(2 * SLOTS - 1):
        await rig_without_worker.schedule("echo")
    assert await leader.dispatch() == 2 * SLOTS - 1
    for _ in range(2):
        await rig_without_worker.schedule("echo")
    assert await leader.dispatch() == 2 * SLOTS


async def test_only_job_due_soon_starts_at_its_time_without_redis(
    rig_without_worker: Rig, early_leader: Leader, clock: ManualClock
) -> None:
    job_id = await due_soon(rig_without_worker, clock)
    assert await early_leader.dispatch() == 0
    assert early_leader.local.added_to(QueuedJobs({}, {})).ids == {Lane(): frozenset({job_id})}
    assert (await rig_without_worker.job(job_id))["state"] == "pending"
    clock.time += SOON
    job = await rig_without_worker.wait_until_ended(job_id)
    assert timedelta(0) <= job["startedAt"] - job["scheduledTime"] < timedelta(seconds=30)
    assert (await early_leader.chunks.queued()).total == 0


async def test_several_jobs_due_soon_are_sent_to_all_workers_when_due(
    rig_without_worker: Rig, early_leader: Leader, clock: ManualClock
) -> None:
    for _ in range(2):
        await due_soon(rig_without_worker, clock)
    assert await early_leader.dispatch() == 0
    assert early_leader.local.added_to(QueuedJobs({}, {})).total == 0
    clock.time += SOON
    assert await early_leader.dispatch() == 2


async def test_failed_claim_is_logged_and_not_retried_at_once(
    rig_without_worker: Rig, leader: Leader
) -> None:
    async def fail() -> bool:
        raise ConnectionError("no")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    with capture_logs() as logs:
        leader.dispatcher._local_done(task)
    assert [line["event"] for line in logs] == ["local_dispatch.failed"]
    assert not leader.dispatcher._wake.is_set()


async def test_leader_holding_a_job_sends_another_to_all_workers_once_due(
    rig_without_worker: Rig, leader: Leader
) -> None:
    held = await pending(rig_without_worker, timedelta(hours=1))
    task = leader.local.run(held)
    await rig_without_worker.schedule("echo")
    assert await leader.dispatch() == 1
    assert not task.done()


async def test_leader_running_a_job_sends_the_next_to_all_workers(
    rig_without_worker: Rig, leader: Leader
) -> None:
    await rig_without_worker.schedule("hold")
    assert await leader.dispatch() == 0
    await gate.reached.wait()
    await rig_without_worker.schedule("echo")
    assert await leader.dispatch() == 1
    gate.opened.set()


async def test_held_job_starts_at_its_time_and_never_before(
    rig_without_worker: Rig, leader: Leader
) -> None:
    job = await pending(rig_without_worker, timedelta(milliseconds=300))
    assert await leader.local.run(job) is False
    started = (await rig_without_worker.wait_until_ended(job.id))["startedAt"]
    assert timedelta(0) <= started - job.scheduled_time < timedelta(seconds=30)


async def test_held_job_is_not_dispatched_as_well(rig_without_worker: Rig, leader: Leader) -> None:
    job = await pending(rig_without_worker, timedelta(hours=1))
    assert not leader.local.run(job).done()
    counted = leader.local.added_to(QueuedJobs({}, {}))
    assert (counted.total, counted.ids) == (1, {Lane(): frozenset({job.id})})


async def test_local_run_of_a_taken_or_early_job_asks_for_another_read(
    rig_without_worker: Rig, leader: Leader
) -> None:
    taken = await pending(rig_without_worker, timedelta(0))
    await rig_without_worker.claim(taken.id, "another")
    assert await leader.local.run(taken) is True
    later = await pending(rig_without_worker, timedelta(hours=1))
    assert await leader.local.run(later._replace(scheduled_time=NOON.replace(year=2020))) is True
    assert (await rig_without_worker.job(later.id))["attempt"] == 0


async def test_stopping_leader_leaves_its_held_job_pending(
    rig_without_worker: Rig, leader: Leader
) -> None:
    job = await pending(rig_without_worker, timedelta(hours=1))
    task = leader.local.run(job)
    await leader.local.close()
    assert task.cancelled()
    assert (await rig_without_worker.job(job.id))["state"] == "pending"


async def test_leader_reads_ahead_only_when_it_holds_no_job(
    rig_without_worker: Rig, leader: Leader
) -> None:
    local = leader.local
    assert local.lookahead(NOON) == NOON + LOOKAHEAD
    assert local.wake_at(NOON, NOON - 2 * LOOKAHEAD) == NOON - LOOKAHEAD
    assert local.wake_at(NOON, NOON - SOON) == NOON
    assert not local.run(await pending(rig_without_worker, timedelta(hours=1))).done()
    assert local.lookahead(NOON) == NOON


@pytest.mark.parametrize(("due_in_s", "expected_s"), [(0.3, 0.29), (0.9, 0.89), (9.0, 1.0)])
async def test_leader_sleeps_until_the_next_job_is_due_and_at_most_a_second(
    rig_without_worker: Rig,
    early_leader: Leader,
    clock: ManualClock,
    due_in_s: float,
    expected_s: float,
) -> None:
    await rig_without_worker.schedule_at(
        await rig_without_worker.build_job("echo"), clock.time + timedelta(seconds=due_in_s)
    )
    wait_s = await early_leader.dispatcher._try_to_dispatch()
    assert wait_s == pytest.approx(expected_s, abs=0.001)


def test_job_read_early_waits_for_its_time() -> None:
    due, early = (
        PendingJob(id=name, lane=Lane(), scheduled_time=at, owner=None)
        for name, at in (("due", NOON), ("early", NOON + SOON))
    )
    later = NOON + timedelta(hours=1)
    read_early = Candidates(jobs=(due, early), has_backlog=False, search_again_at=later)
    candidates = read_early.due_by(NOON)
    assert (candidates.jobs, candidates.search_again_at) == ((due,), early.scheduled_time)
    assert read_early.due_by(NOON + LOOKAHEAD) is read_early
