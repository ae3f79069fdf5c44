"""Dispatch on real servers: which jobs it reads and sends to Redis, and which workers run them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
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
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.executor import Executor
from tests.engine.functions import gate
from tests.engine.limited import counter
from tests.engine.rig import Rig, run_worker
from tests.profiling import profiled

FUTURE_JOBS = 3_000  # 500 times the keys that may be read
BACKLOG = 10_000
RUNNING_OR_QUEUED = 3  # times the slots: running jobs, and up to two rounds of them in Redis
LANES = [Lane(), Lane(priority=5), Lane(function="f.f")]


async def insert_jobs(rig: Rig, number: int, **changes: Any) -> list[str]:
    """Insert many jobs at once and return their ids."""
    new_job = replace(await rig.build_job("echo"), **changes)
    documents = [build_job_document(new_job, new_job.scheduled_time, 9) for _ in range(number)]
    await rig.engine.store.insert([encode_document(one) for one in documents])
    return [document["_id"] for document in documents]


async def chosen(rig: Rig, room: int) -> list[str]:
    """Return the jobs that the dispatcher would put into Redis."""
    now = await rig.engine.now()
    candidates = await CandidateFinder(rig.engine).find("default", now, room, 1, {})
    return [job.id for job in candidates.jobs]


@pytest.fixture
async def dispatcher(rig_without_worker: Rig) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher of an installation without consumers."""
    engine = rig_without_worker.engine
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


async def in_redis(rig_without_worker: Rig) -> dict[Lane, int]:
    settings = rig_without_worker.engine.settings
    redis = connect(settings.redis_url, f"{settings.redis_prefix}:queue")
    counts = (await ChunkQueue(redis).queued()).counts
    await redis.aclose(close_connection_pool=True)
    return counts


async def test_future_jobs_add_no_dispatcher_reads(rig_without_worker: Rig) -> None:
    later = await rig_without_worker.engine.now() + timedelta(days=7)
    for lane in LANES:
        await insert_jobs(
            rig_without_worker,
            FUTURE_JOBS // len(LANES),
            priority=lane.priority,
            scheduled_time=later,
        )
    async with profiled(rig_without_worker.engine.mongo) as reads:
        assert await chosen(rig_without_worker, 100) == []
        assert await DueJobs(rig_without_worker.engine.mongo).find_owners(Lane()) == ["alice"]
    assert [read["command"]["hint"] for read in reads] == ["due", "fair"]
    assert all(read["keysExamined"] <= 2 * len(LANES) for read in reads), reads
    assert all(read["docsExamined"] == 0 for read in reads), reads


@pytest.mark.parametrize(
    ("owner", "hint", "documents"),
    [(ANY_OWNER, "due", 0), ("alice", "fair", 0), pytest.param(None, "fair", 10, id="no owner")],
)
async def test_due_jobs_of_a_lane_are_read_from_the_index(
    rig_without_worker: Rig, owner: Owner, hint: str, documents: int
) -> None:
    mongo, now = rig_without_worker.engine.mongo, await rig_without_worker.engine.now()
    for job_owner in ("alice", "bob", None):
        await insert_jobs(rig_without_worker, 250, owner=job_owner)
    (first,) = await DueJobs(mongo).find_first(Lane(), 1, frozenset(), owner)
    yesterday = ScanPosition(now - timedelta(days=1), None)
    positions = (None, yesterday, ScanPosition(first.scheduled_time, first.id))
    async with profiled(mongo) as reads:
        find = partial(DueJobs(mongo).find_first, Lane(), 10, frozenset(), owner)
        found = [await find(position) for position in positions]
    assert [len(jobs) for jobs in found] == [10, 10, 10]
    assert [read["command"]["hint"] for read in reads] == [hint] * 3
    assert [(read["keysExamined"], read["docsExamined"]) for read in reads] == [(10, documents)] * 3


async def test_next_due_time_is_known_for_every_lane(rig_without_worker: Rig) -> None:
    now = await rig_without_worker.engine.now()
    times = [now + timedelta(hours=hours) for hours in (3, 2, 1)]
    for lane, at in zip(LANES, times, strict=True):
        await insert_jobs(rig_without_worker, 1, priority=lane.priority, scheduled_time=at)
    candidates = await CandidateFinder(rig_without_worker.engine).find("default", now, 10, 1, {})
    assert (candidates.jobs, candidates.search_again_at) == ((), times[2])


async def test_higher_priorities_start_first_and_waiting_raises_priority(
    rig_without_worker: Rig,
) -> None:
    now = await rig_without_worker.engine.now()
    old = await insert_jobs(rig_without_worker, 1, scheduled_time=now - timedelta(minutes=6))
    fresh = await insert_jobs(rig_without_worker, 2)
    urgent = await insert_jobs(rig_without_worker, 2, priority=5)
    assert await chosen(rig_without_worker, 5) == [*old, *urgent, *fresh]


async def test_queues_share_all_slots_by_weight(
    rig_without_worker: Rig, dispatcher: Dispatcher
) -> None:
    for queue in ("a", "b"):
        await insert_jobs(rig_without_worker, 100, queue=queue)
    await dispatcher.dispatch()
    assert await in_redis(rig_without_worker) == {Lane(queue="a"): 15, Lane(queue="b"): 5}


async def test_idle_queue_leaves_its_slots_to_others(
    rig_without_worker: Rig, dispatcher: Dispatcher
) -> None:
    await insert_jobs(rig_without_worker, 2, queue="a")
    await insert_jobs(rig_without_worker, 100, queue="b")
    await insert_jobs(rig_without_worker, 100, queue="unserved")
    await dispatcher.dispatch()
    assert await in_redis(rig_without_worker) == {Lane(queue="a"): 2, Lane(queue="b"): 18}


async def test_owners_take_turns_in_a_backlog(rig_without_worker: Rig) -> None:
    alice = await insert_jobs(rig_without_worker, 5_000, owner="alice")
    bob = await insert_jobs(rig_without_worker, 40, owner="bob")
    carol = await insert_jobs(rig_without_worker, 1, owner="carol")
    now_chosen = await chosen(rig_without_worker, 61)
    assert len(now_chosen) == len(set(now_chosen)) == 61
    assert set(carol) <= set(now_chosen)
    assert abs(len(set(bob) & set(now_chosen)) - len(set(alice) & set(now_chosen))) <= 1


async def test_owners_beyond_one_read_all_get_their_turn(rig_without_worker: Rig) -> None:
    await insert_jobs(rig_without_worker, 500, owner="alice")
    others = [(await insert_jobs(rig_without_worker, 3, owner=f"owner-{n}"))[0] for n in range(40)]
    finder, now = (
        CandidateFinder(rig_without_worker.engine),
        await rig_without_worker.engine.now(),
    )
    seen: set[str] = set()
    for _ in range(10):
        candidates = await finder.find("default", now, 20, 1, {Lane(): frozenset(seen)})
        seen |= {job.id for job in candidates.jobs}
        finder.mark_served("default", candidates.jobs[-1])
    assert set(others) <= seen


async def test_backlog_of_one_owner_does_not_delay_jobs_of_another(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    rig = rig_without_worker
    await insert_jobs(rig, BACKLOG, owner="alice")
    jobs, alices = rig.engine.mongo["jobs"], {"owner": "alice"}
    async with run_worker(fast_settings):
        await rig.wait_until(lambda: jobs.count_documents({**alices, "state": "success"}, skip=500))
        bobs = (await rig.engine.schedule(replace(await rig.build_job("echo"), owner="bob"))).id
        scheduled_at = await rig.engine.now()
        bobs_start = (await rig.wait_until_ended(bobs))["startedAt"]
        meanwhile = {"$gt": scheduled_at, "$lt": bobs_start}
        first = await jobs.count_documents({**alices, "startedAt": meanwhile})
        before = await jobs.count_documents({**alices, "startedAt": {"$lt": bobs_start}})
    assert first <= RUNNING_OR_QUEUED * fast_settings.concurrency
    assert before < BACKLOG / 2


async def test_worker_takes_only_jobs_of_its_own_queues(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    rig = rig_without_worker
    queues = {name: fast_settings.model_copy(update={"queues": (name,)}) for name in ("a", "b")}
    async with run_worker(queues["a"]), run_worker(queues["b"]):
        ids = {name: await insert_jobs(rig, 30, queue=name) for name in ("a", "b", "c")}
        await rig.engine.advance(0)
        workers = {
            name: {
                (await rig.wait_until_ended(job_id))["timeline"][1]["worker"]
                for job_id in ids[name]
            }
            for name in ("a", "b")
        }
        assert len(workers["a"]) == len(workers["b"]) == len(workers["a"] | workers["b"]) - 1
        assert {(await rig.job(job_id))["state"] for job_id in ids["c"]} == {"pending"}


async def test_concurrency_limit_is_kept_and_does_not_delay_other_functions(
    rig: Rig,
) -> None:
    counter.peak = 0
    ids = [await rig.schedule("three_at_once") for _ in range(20)]
    await rig.wait_until(lambda: counter.current == 3)
    await asyncio.gather(*(rig.run("echo") for _ in range(20)))
    assert len(await rig.find_jobs("three_at_once", state="pending")) == 17
    gate.opened.set()
    assert {(await rig.wait_until_ended(job_id))["state"] for job_id in ids} == {"success"}
    assert counter.peak == 3


async def test_limited_backlog_continues_as_its_jobs_end(rig: Rig) -> None:
    counter.peak = 0
    ids = [await rig.schedule("three_at_once", held=False) for _ in range(60)]
    assert {(await rig.wait_until_ended(job_id))["state"] for job_id in ids} == {"success"}
    assert 1 <= counter.peak <= 3


async def test_redis_holds_about_twice_the_concurrency_limit_of_a_function(
    rig_without_worker: Rig,
) -> None:
    for _ in range(50):
        await rig_without_worker.schedule("three_at_once")
    candidates = await CandidateFinder(rig_without_worker.engine).find(
        "default", await rig_without_worker.engine.now(), 100, 2, {}
    )
    assert len(candidates.jobs) == 2 * 3 * 2


async def test_limited_backlog_does_not_hide_a_new_lane_while_slots_are_free(
    rig_without_worker: Rig,
) -> None:
    finder = CandidateFinder(rig_without_worker.engine)
    for _ in range(20):
        await rig_without_worker.schedule("three_at_once")
    now = await rig_without_worker.engine.now()
    assert len((await finder.find("default", now, 50, 1, {})).jobs) == 2 * 3
    echo = await rig_without_worker.schedule("echo")
    now = await rig_without_worker.engine.now()
    candidates = await finder.find("default", now, 50, 1, {})
    assert echo in {job.id for job in candidates.jobs}


async def test_timeout_of_a_job_ends_its_attempt(rig: Rig) -> None:
    new_job = replace(await rig.build_job("hold"), timeout_ms=50)
    job = await rig.wait_until_ended((await rig.engine.schedule(new_job)).id)
    assert (job["state"], job["error"]["name"]) == ("failed", "TimeoutError")
    assert "50 ms" in job["error"]["message"]


async def test_reads_of_a_queue_find_no_jobs_of_other_queues(rig_without_worker: Rig) -> None:
    for queue in ("mail", "mail-2", "mails"):
        await insert_jobs(rig_without_worker, 1, queue=queue)
    due = DueJobs(rig_without_worker.engine.mongo)
    assert set(await due.lane_heads("mail")) == {Lane(queue="mail")}
    assert await due.lane_heads("mai") == {}
