"""Dispatch on real servers: which jobs it reads and sends to Redis, and which workers run them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue
from ostinato.jobs.arq_queue.connection import connect
from ostinato.jobs.dispatch.candidates import CandidateFinder
from ostinato.jobs.dispatch.dispatcher import Dispatcher
from ostinato.jobs.dispatch.local_dispatch import LocalDispatcher
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner, ScanPosition
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.executor import Executor
from tests.engine.functions import gate
from tests.engine.limited import counter
from tests.engine.rig import Rig, working
from tests.profiling import profiled

PLANNED = 20_000
BACKLOG = 10_000
RUNNING_OR_QUEUED = 3  # times the slots: what runs, and as much as two rounds of it in Redis
LANES = [Lane(), Lane(priority=5), Lane(function="f.f")]


async def filled(rig: Rig, number: int, **changes: Any) -> list[str]:
    """Insert many jobs at once and return their ids."""
    plan = replace(await rig.plan("echo"), **changes)
    documents = [build_job_document(plan, plan.scheduled_time, 9) for _ in range(number)]
    await rig.engine.store.insert(documents)
    return [document["_id"] for document in documents]


async def chosen(rig: Rig, room: int) -> list[str]:
    """Return the jobs that the dispatcher would put into Redis."""
    now = await rig.engine.now()
    candidates = await CandidateFinder(rig.engine).find("default", now, room, 1, {})
    return [job.id for job in candidates.jobs]


@pytest.fixture
async def dispatcher(idle: Rig) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher of an installation without consumers."""
    engine = idle.engine
    redis = connect(engine.settings.redis_url, f"{engine.settings.redis_prefix}:queue")
    workers = WorkerStore(engine.mongo)
    await workers.register("w", {"concurrency": 10, "queues": ["a", "b"]})
    queues = QueueSettings(engine.mongo, lambda: None)
    await engine.queues.resume("a", weight=3)
    await queues.refresh()
    executor = Executor(engine, "w", queues, lambda: None)
    local = LocalDispatcher(engine.clock, executor)
    yield Dispatcher(engine, ChunkQueue(redis), workers, queues, local)
    await local.close()
    await executor.close(0)
    await redis.aclose(close_connection_pool=True)


async def in_redis(idle: Rig) -> dict[Lane, int]:
    settings = idle.engine.settings
    redis = connect(settings.redis_url, f"{settings.redis_prefix}:queue")
    counts = (await ChunkQueue(redis).queued()).counts
    await redis.aclose(close_connection_pool=True)
    return counts


async def test_future_jobs_add_no_dispatcher_reads(idle: Rig) -> None:
    later = await idle.engine.now() + timedelta(days=7)
    for lane in LANES:
        await filled(idle, PLANNED // len(LANES), priority=lane.priority, scheduled_time=later)
    async with profiled(idle.engine.mongo) as reads:
        assert await chosen(idle, 100) == []
        assert await DueJobs(idle.engine.mongo).find_owners(Lane()) == ["alice"]
    assert [read["command"]["hint"] for read in reads] == ["due", "fair"]
    assert all(read["keysExamined"] <= 2 * len(LANES) for read in reads), reads
    assert all(read["docsExamined"] == 0 for read in reads), reads


@pytest.mark.parametrize(
    ("owner", "hint", "documents"),
    [(ANY_OWNER, "due", 0), ("alice", "fair", 0), pytest.param(None, "fair", 10, id="nobody")],
)
async def test_due_jobs_of_a_lane_are_read_from_the_index(
    idle: Rig, owner: Owner, hint: str, documents: int
) -> None:
    for planned_for in ("alice", "bob", None):
        await filled(idle, 250, owner=planned_for)
    due, now = DueJobs(idle.engine.mongo), await idle.engine.now()
    (first,) = await due.find_first(Lane(), 1, frozenset(), owner)
    places = (
        None,
        ScanPosition(now - timedelta(days=1), None),
        ScanPosition(first.scheduled_time, first.id),
    )
    async with profiled(idle.engine.mongo) as reads:
        found = [await due.find_first(Lane(), 10, frozenset(), owner, place) for place in places]
    assert [len(jobs) for jobs in found] == [10, 10, 10]
    assert [read["command"]["hint"] for read in reads] == [hint] * 3
    assert [(read["keysExamined"], read["docsExamined"]) for read in reads] == [(10, documents)] * 3


async def test_next_due_time_is_known_for_every_lane(idle: Rig) -> None:
    now = await idle.engine.now()
    times = [now + timedelta(hours=hours) for hours in (3, 2, 1)]
    for lane, at in zip(LANES, times, strict=True):
        await filled(idle, 1, priority=lane.priority, scheduled_time=at)
    candidates = await CandidateFinder(idle.engine).find("default", now, 10, 1, {})
    assert (candidates.jobs, candidates.next_at) == ((), times[2])


async def test_higher_priorities_start_first_and_waiting_raises_priority(idle: Rig) -> None:
    now = await idle.engine.now()
    old = await filled(idle, 1, scheduled_time=now - timedelta(minutes=6))
    fresh = await filled(idle, 2)
    urgent = await filled(idle, 2, priority=5)
    assert await chosen(idle, 5) == [*old, *urgent, *fresh]


async def test_queues_share_all_slots_by_weight(idle: Rig, dispatcher: Dispatcher) -> None:
    for queue in ("a", "b"):
        await filled(idle, 100, queue=queue)
    await dispatcher.dispatch()
    assert await in_redis(idle) == {Lane(queue="a"): 15, Lane(queue="b"): 5}


async def test_idle_queue_leaves_its_slots_to_others(idle: Rig, dispatcher: Dispatcher) -> None:
    await filled(idle, 2, queue="a")
    await filled(idle, 100, queue="b")
    await filled(idle, 100, queue="served-by-nobody")
    await dispatcher.dispatch()
    assert await in_redis(idle) == {Lane(queue="a"): 2, Lane(queue="b"): 18}


async def test_owners_take_turns_in_a_backlog(idle: Rig) -> None:
    alice = await filled(idle, 5_000, owner="alice")
    bob = await filled(idle, 40, owner="bob")
    carol = await filled(idle, 1, owner="carol")
    now_chosen = await chosen(idle, 61)
    assert len(now_chosen) == len(set(now_chosen)) == 61
    assert set(carol) <= set(now_chosen)
    assert abs(len(set(bob) & set(now_chosen)) - len(set(alice) & set(now_chosen))) <= 1


async def test_owners_beyond_one_read_all_get_their_turn(idle: Rig) -> None:
    await filled(idle, 500, owner="alice")
    others = [(await filled(idle, 3, owner=f"owner-{n}"))[0] for n in range(40)]
    surveyor, now = CandidateFinder(idle.engine), await idle.engine.now()
    seen: set[str] = set()
    for _ in range(10):
        candidates = await surveyor.find("default", now, 20, 1, {Lane(): frozenset(seen)})
        seen |= {job.id for job in candidates.jobs}
        surveyor.mark_served("default", candidates.jobs[-1])
    assert set(others) <= seen


async def test_backlog_of_one_owner_does_not_delay_jobs_of_another(
    hasty: Settings, idle: Rig
) -> None:
    await filled(idle, BACKLOG, owner="alice")
    jobs, alices = idle.engine.mongo["jobs"], {"owner": "alice"}
    async with working(hasty):
        await idle.until(lambda: jobs.count_documents({**alices, "state": "success"}, skip=500))
        bobs = (await idle.engine.schedule(replace(await idle.plan("echo"), owner="bob"))).id
        here_at = await idle.engine.now()
        bobs_start = (await idle.ended(bobs))["startedAt"]
        between = {"$gt": here_at, "$lt": bobs_start}
        first = await jobs.count_documents({**alices, "startedAt": between})
        before = await jobs.count_documents({**alices, "startedAt": {"$lt": bobs_start}})
    assert first <= RUNNING_OR_QUEUED * hasty.concurrency
    assert before < BACKLOG / 2


async def test_worker_takes_only_jobs_of_its_own_queues(hasty: Settings, idle: Rig) -> None:
    queues = {name: hasty.model_copy(update={"queues": (name,)}) for name in ("a", "b")}
    async with working(queues["a"]), working(queues["b"]):
        ids = {name: await filled(idle, 30, queue=name) for name in ("a", "b", "c")}
        await idle.engine.advance(0)
        workers = {
            name: {(await idle.ended(job_id))["timeline"][1]["worker"] for job_id in ids[name]}
            for name in ("a", "b")
        }
        assert len(workers["a"]) == len(workers["b"]) == len(workers["a"] | workers["b"]) - 1
        assert {(await idle.job(job_id))["state"] for job_id in ids["c"]} == {"pending"}


async def test_concurrency_limit_is_kept_and_does_not_delay_other_functions(
    rig: Rig,
) -> None:
    counter.peak = 0
    ids = [await rig.schedule("three_at_once") for _ in range(20)]
    await rig.until(lambda: counter.current == 3)
    await asyncio.gather(*(rig.run("echo") for _ in range(20)))
    assert len(await rig.jobs_of("three_at_once", state="pending")) == 17
    gate.opened.set()
    assert {(await rig.ended(job_id))["state"] for job_id in ids} == {"success"}
    assert counter.peak == 3


async def test_limited_backlog_continues_as_its_jobs_end(rig: Rig) -> None:
    counter.peak = 0
    ids = [await rig.schedule("three_at_once", held=False) for _ in range(200)]
    assert {(await rig.ended(job_id))["state"] for job_id in ids} == {"success"}
    assert 1 <= counter.peak <= 3


async def test_redis_holds_about_twice_the_concurrency_limit_of_a_function(idle: Rig) -> None:
    for _ in range(50):
        await idle.schedule("three_at_once")
    candidates = await CandidateFinder(idle.engine).find(
        "default", await idle.engine.now(), 100, 2, {}
    )
    assert len(candidates.jobs) == 2 * 3 * 2


async def test_limited_backlog_does_not_hide_a_new_lane_while_slots_are_free(idle: Rig) -> None:
    surveyor = CandidateFinder(idle.engine)
    for _ in range(20):
        await idle.schedule("three_at_once")
    now = await idle.engine.now()
    assert len((await surveyor.find("default", now, 50, 1, {})).jobs) == 2 * 3
    echo = await idle.schedule("echo")
    now = await idle.engine.now()
    candidates = await surveyor.find("default", now, 50, 1, {})
    assert echo in {job.id for job in candidates.jobs}


async def test_timeout_of_a_job_ends_its_attempt(rig: Rig) -> None:
    plan = replace(await rig.plan("hold"), timeout_ms=50)
    job = await rig.ended((await rig.engine.schedule(plan)).id)
    assert (job["state"], job["error"]["name"]) == ("failed", "TimeoutError")
    assert "50 ms" in job["error"]["message"]


async def test_reads_of_a_queue_find_no_jobs_of_other_queues(idle: Rig) -> None:
    for queue in ("mail", "mail-2", "mails"):
        await filled(idle, 1, queue=queue)
    due = DueJobs(idle.engine.mongo)
    assert set(await due.lane_heads("mail")) == {Lane(queue="mail")}
    assert await due.lane_heads("mai") == {}
