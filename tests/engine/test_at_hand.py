"""What an idle leader runs itself, and what it leaves to Redis and the fleet."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from jobs.lanes import Lane, Waiting
from jobs.mongo.workers import WorkerStore
from jobs.queue.chunks import Chunks, Outstanding
from jobs.queue.connection import connect
from jobs.worker.at_hand import EARLY, AtHand
from jobs.worker.dispatcher import Dispatcher
from jobs.worker.executor import Executor
from jobs.worker.queue_watch import QueueWatch
from jobs.worker.survey import Survey
from tests.engine.functions import gate
from tests.engine.rig import Rig

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SOON = EARLY / 2


@dataclass(frozen=True)
class Leader:
    dispatcher: Dispatcher
    at_hand: AtHand
    chunks: Chunks

    async def dispatch(self) -> int:
        """Look once; returns how many jobs wait in Redis then."""
        await self.dispatcher.dispatch()
        return (await self.chunks.outstanding()).total


@pytest.fixture
async def leader(idle: Rig) -> AsyncIterator[Leader]:
    """Return a leader that looks when it is told to, and takes nothing out of Redis."""
    engine = idle.engine
    await WorkerStore(engine.mongo).register("w", {"concurrency": 10, "queues": ["default"]})
    redis = connect(engine.settings.redis_url, f"{engine.settings.redis_prefix}:queue")
    queues = QueueWatch(engine.mongo, lambda: None)
    executor = Executor(engine, "w", queues, lambda: None)
    at_hand, chunks = AtHand(engine, executor), Chunks(redis)
    dispatcher = Dispatcher(engine, chunks, WorkerStore(engine.mongo), queues, at_hand)
    yield Leader(dispatcher, at_hand, chunks)
    await at_hand.close()
    await executor.close(0)
    await redis.aclose(close_connection_pool=True)


async def waiting(rig: Rig, delay: timedelta) -> Waiting:
    """Plan a job, and give it as the dispatcher knows it."""
    plan = await rig.plan("echo")
    job_id = await rig.plan_at(plan, plan.scheduled_time + delay)
    due = (await rig.job(job_id))["scheduledTime"]
    return Waiting(id=job_id, lane=Lane(), scheduled_time=due, owner="alice")


async def test_an_idle_leader_runs_the_only_job_without_redis(idle: Rig, leader: Leader) -> None:
    job_id = await idle.schedule("echo")
    assert await leader.dispatch() == 0
    assert (await idle.ended(job_id))["state"] == "success"


async def test_several_jobs_go_to_the_fleet(idle: Rig, leader: Leader) -> None:
    ids = [await idle.schedule("echo") for _ in range(2)]
    assert await leader.dispatch() == 2
    assert {(await idle.job(job_id))["state"] for job_id in ids} == {"pending"}


async def test_a_leader_that_runs_something_leaves_the_next_to_the_fleet(
    idle: Rig, leader: Leader
) -> None:
    await idle.schedule("hold")
    assert await leader.dispatch() == 0
    await gate.reached.wait()
    await idle.schedule("echo")
    assert await leader.dispatch() == 1
    gate.opened.set()


async def test_a_job_at_hand_starts_at_its_time_and_never_before(idle: Rig, leader: Leader) -> None:
    job = await waiting(idle, timedelta(milliseconds=300))
    assert await leader.at_hand.take(job) is False
    started = (await idle.ended(job.id))["startedAt"]
    assert timedelta(0) <= started - job.scheduled_time < timedelta(seconds=2)


async def test_a_job_at_hand_is_not_dispatched_as_well(idle: Rig, leader: Leader) -> None:
    job = await waiting(idle, timedelta(hours=1))
    assert not leader.at_hand.take(job).done()
    counted = leader.at_hand.added_to(Outstanding({}, {}))
    assert (counted.total, counted.ids) == (1, {Lane(): frozenset({job.id})})


async def test_what_another_took_or_is_not_due_is_looked_at_again(
    idle: Rig, leader: Leader
) -> None:
    taken = await waiting(idle, timedelta(0))
    await idle.claim(taken.id, "another")
    assert await leader.at_hand.take(taken) is True
    later = await waiting(idle, timedelta(hours=1))
    assert await leader.at_hand.take(later._replace(scheduled_time=NOON.replace(year=2020))) is True
    assert (await idle.job(later.id))["attempt"] == 0


async def test_a_leader_that_goes_leaves_what_is_at_hand_pending(idle: Rig, leader: Leader) -> None:
    job = await waiting(idle, timedelta(hours=1))
    task = leader.at_hand.take(job)
    await leader.at_hand.close()
    assert task.cancelled()
    assert (await idle.job(job.id))["state"] == "pending"


async def test_an_idle_leader_looks_early_and_one_with_a_job_at_hand_at_the_time(
    idle: Rig, leader: Leader
) -> None:
    at_hand = leader.at_hand
    assert at_hand.horizon(NOON) == NOON + EARLY
    assert at_hand.look_at(NOON, NOON - 2 * EARLY) == NOON - EARLY
    assert at_hand.look_at(NOON, NOON - SOON) == NOON
    assert not at_hand.take(await waiting(idle, timedelta(hours=1))).done()
    assert at_hand.horizon(NOON) == NOON


def test_what_was_looked_at_early_waits_for_its_time() -> None:
    due, early = (
        Waiting(id=name, lane=Lane(), scheduled_time=at, owner=None)
        for name, at in (("due", NOON), ("early", NOON + SOON))
    )
    looked = Survey(jobs=(due, early), more=False, next_at=NOON + timedelta(hours=1))
    survey = looked.due_by(NOON)
    assert (survey.jobs, survey.next_at) == ((due,), early.scheduled_time)
    assert looked.due_by(NOON + EARLY) is looked
