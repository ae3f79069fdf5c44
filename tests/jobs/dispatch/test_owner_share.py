"""One owner's jobs hold at most a share of the slots while jobs of several owners are stored."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from ostinato.jobs.arq_queue.chunk_queue import Chunk, ChunkQueue
from ostinato.jobs.arq_queue.connection import connect
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import Lane, owner_tag
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.due_jobs import has_several_owners
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.engine.functions import gate
from tests.engine.limited import counter
from tests.engine.rig import Rig, run_worker, running_worker
from tests.profiling import profiled

pytestmark = pytest.mark.audit("turns of users")

FLOOD = 300
SLOTS = 10
SHARE = SLOTS // 2
UNREADABLE_OWNER = {"$set": {"owner": {"$toInt": "$_id"}}}


@pytest.fixture
def few_slots(fast_settings: Settings) -> Settings:
    counter.current = counter.peak = 0
    return fast_settings.model_copy(update={"concurrency": SLOTS})


@pytest.fixture
async def worker(few_slots: Settings) -> AsyncIterator[WorkerRuntime]:
    """Return a worker in this process."""
    async with running_worker(few_slots) as worker:
        yield worker


@pytest.fixture
async def idle_worker(few_slots: Settings, rig_without_worker: Rig) -> AsyncIterator[WorkerRuntime]:
    """Return a worker without background tasks that knows of several owners."""
    await insert_jobs(rig_without_worker, "echo", 1, "bob")
    await insert_jobs(rig_without_worker, "echo", 1, "alice")
    async with WorkerRuntime.open(few_slots) as worker:
        yield worker


async def insert_jobs(rig: Rig, name: str, number: int, owner: str | None) -> list[str]:
    """Insert due jobs of an owner at once and return their ids."""
    new_job = replace(await rig.build_job(name), owner=owner)
    documents = [build_job_document(new_job, new_job.scheduled_time, 9) for _ in range(number)]
    await rig.engine.store.insert([encode_document(one) for one in documents])
    return [document["_id"] for document in documents]


async def schedule(rig: Rig, name: str, owner: str) -> str:
    return (await rig.engine.schedule(replace(await rig.build_job(name), owner=owner))).id


def is_done(worker: WorkerRuntime, job_id: str) -> bool:
    return not worker.executor.holds(job_id)


def chunk(ids: dict[str, list[str]]) -> Chunk:
    """Build a chunk from the ids of each owner."""
    pairs = [(job_id, owner_tag(owner)) for owner, some in ids.items() for job_id in some]
    return Chunk(ids=tuple(one for one, _ in pairs), owner_tags=tuple(tag for _, tag in pairs))


async def owners_in_redis(settings: Settings) -> Counter[str]:
    redis = connect(settings.redis_url, f"{settings.redis_prefix}:queue")
    counts = (await ChunkQueue(redis).queued()).owner_tag_counts
    await redis.aclose(close_connection_pool=True)
    return counts.get("default", Counter())


async def test_job_starts_although_another_owner_has_more_jobs_than_slots(
    few_slots: Settings, rig_without_worker: Rig
) -> None:
    rig = rig_without_worker
    await insert_jobs(rig, "echo", 1, "bob")
    await insert_jobs(rig, "hold_counted", FLOOD, "alice")
    async with run_worker(few_slots):
        await rig.wait_until(lambda: counter.current >= SHARE)
        bobs = [await schedule(rig, "echo", "bob") for _ in range(2 * SLOTS)]
        assert {(await rig.wait_until_ended(one))["state"] for one in bobs} == {"success"}
        assert counter.current == counter.peak == SHARE
        gate.opened.set()


async def test_owners_with_backlogs_hold_equal_shares_as_their_jobs_follow_each_other(
    few_slots: Settings, rig_without_worker: Rig
) -> None:
    rig = rig_without_worker
    await insert_jobs(rig, "hold", FLOOD, "bob")
    await insert_jobs(rig, "hold_counted", FLOOD, "alice")
    async with running_worker(few_slots) as worker:
        for _ in range(3 * SHARE):
            await rig.wait_until(lambda: len(worker.executor.attempts) == SLOTS)
            attempts = [running.attempt for running in worker.executor.attempts.values()]
            slots = Counter(attempt.function_name for attempt in attempts)
            assert set(slots.values()) == {SHARE}
            ended = attempts[0].job_id
            await rig.cancel(ended)
            await rig.wait_until(partial(is_done, worker, ended))
        gate.opened.set()
    assert counter.peak == SHARE


async def test_single_owner_uses_all_slots(few_slots: Settings, rig_without_worker: Rig) -> None:
    await insert_jobs(rig_without_worker, "hold_counted", FLOOD, "alice")
    async with run_worker(few_slots):
        await rig_without_worker.wait_until(lambda: counter.current == SLOTS)
        gate.opened.set()


async def test_share_of_one_does_not_limit_owners(
    few_slots: Settings, rig_without_worker: Rig
) -> None:
    await insert_jobs(rig_without_worker, "echo", 1, "bob")
    await insert_jobs(rig_without_worker, "hold_counted", FLOOD, "alice")
    async with run_worker(few_slots.model_copy(update={"owner_slot_share": 1.0})):
        await rig_without_worker.wait_until(lambda: counter.current == SLOTS)
        gate.opened.set()


async def test_first_free_slot_goes_to_a_new_owner(
    few_slots: Settings, rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    rig = rig_without_worker
    alices = await insert_jobs(rig, "hold_counted", FLOOD, "alice")
    await rig.wait_until(lambda: counter.current == SLOTS)
    bobs = await schedule(rig, "echo", "bob")
    await rig.wait_until(lambda: worker.queue_settings.owner_limit(SLOTS) == SHARE)
    running = set(worker.executor.attempts) & set(alices)
    await rig.cancel(running.pop())
    assert (await rig.wait_until_ended(bobs))["state"] == "success"
    await rig.wait_until(lambda: set(worker.executor.attempts) == running)
    gate.opened.set()


async def test_redis_holds_at_most_a_share_of_one_owners_jobs(
    few_slots: Settings, rig_without_worker: Rig, idle_worker: WorkerRuntime
) -> None:
    await insert_jobs(rig_without_worker, "echo", FLOOD, "alice")
    dispatcher = idle_worker._dispatcher
    await dispatcher.dispatch()
    await dispatcher.dispatch()
    assert (await owners_in_redis(few_slots))[owner_tag("alice")] == SLOTS
    await insert_jobs(rig_without_worker, "echo", 3, "bob")

    async def has_all_of_bob() -> bool:
        await dispatcher.dispatch()  # by its own clock, the jobs may become due a moment later
        return (await owners_in_redis(few_slots))[owner_tag("bob")] == 4

    await rig_without_worker.wait_until(has_all_of_bob)
    assert (await owners_in_redis(few_slots))[owner_tag("alice")] <= SLOTS


async def test_jobs_over_the_share_do_not_hold_up_others_of_their_chunk(
    rig_without_worker: Rig, idle_worker: WorkerRuntime
) -> None:
    rig, executor = rig_without_worker, idle_worker.executor
    alices = await insert_jobs(rig, "hold", 2 * SHARE, "alice")
    bobs = await insert_jobs(rig, "hold", 2, "bob")
    await executor.take_chunk(chunk({"alice": alices, "bob": bobs}))
    running = set(executor.attempts)
    assert set(bobs) <= running
    assert len(running & set(alices)) == SHARE
    gate.opened.set()


async def test_chunk_of_owners_at_their_share_does_not_signal_the_dispatcher(
    few_slots: Settings, rig_without_worker: Rig
) -> None:
    owners = ["alice", "bob"]
    ids = {one: await insert_jobs(rig_without_worker, "hold", SLOTS, one) for one in owners}
    async with WorkerRuntime.open(few_slots.model_copy(update={"owner_slot_share": 0.2})) as worker:
        sent = replace(chunk(ids), notify_after_claim=True)
        assert await worker.executor.take_chunk(sent)
        assert len(worker.executor.attempts) == 4
        left = {one: list(set(ids[one]) - set(worker.executor.attempts)) for one in owners}
        assert not await worker.executor.take_chunk(replace(chunk(left), notify_after_claim=True))
        gate.opened.set()


async def test_function_with_a_limit_is_free_for_others_while_an_owner_is_at_its_share(
    rig_without_worker: Rig, idle_worker: WorkerRuntime
) -> None:
    rig, executor = rig_without_worker, idle_worker.executor
    lane = Lane(function="functions.threeAtOnce")
    await executor.take_chunk(chunk({"alice": await insert_jobs(rig, "hold", SHARE, "alice")}))
    alices, bobs = [await insert_jobs(rig, "three_at_once", 3, one) for one in ("alice", "bob")]
    waiting = asyncio.create_task(executor.take_chunk(replace(chunk({"alice": alices}), lane=lane)))
    await asyncio.wait({waiting}, timeout=0)  # one turn of the event loop
    await executor.take_chunk(replace(chunk({"bob": bobs}), lane=lane))
    assert set(bobs) <= set(executor.attempts)
    assert not set(alices) & set(executor.attempts)
    gate.opened.set()
    await waiting


async def test_slots_of_ended_jobs_are_returned_to_their_owner(
    rig_without_worker: Rig, idle_worker: WorkerRuntime
) -> None:
    executor = idle_worker.executor
    ids = await insert_jobs(rig_without_worker, "echo", SHARE, "alice")
    await executor.take_chunk(chunk({"alice": [*ids, "0" * 24]}))
    await rig_without_worker.wait_until(lambda: not executor.attempts)
    assert executor.free_starts_of(owner_tag("alice")) == SHARE


async def test_pause_is_announced_although_the_owners_cannot_be_read(settings: Settings) -> None:
    fresh = settings.model_copy(update={"database": f"unreadable_owners_{new_id()}"})
    changes: list[bool] = []
    async with Engine.open(fresh) as engine:
        database = engine.mongo.client[fresh.database]
        queues = QueueSettings(
            engine.mongo, lambda: changes.append(queues.is_paused("default")), owner_share=0.5
        )
        await database.drop_collection("jobs")
        await database.create_collection("jobs", viewOn="queues", pipeline=[UNREADABLE_OWNER])
        await engine.queues.pause("default")
        with pytest.raises(MongoError):
            await queues.refresh()
        await engine.mongo.client.drop_database(fresh.database)
    assert changes == [True]


@pytest.mark.parametrize(
    ("owners", "several"),
    [
        ([], False),
        (["alice"], False),
        ([None], False),
        (["alice", None], True),
        (["alice", "bob", "carol"], True),
    ],
)
async def test_several_owners_are_detected_with_two_seeks(
    rig_without_worker: Rig, owners: list[str | None], several: bool
) -> None:
    mongo = rig_without_worker.engine.mongo
    for owner in owners:
        await insert_jobs(rig_without_worker, "echo", 100, owner)
    async with profiled(mongo) as reads:
        assert await has_several_owners(mongo) is several
    assert len(reads) == 2
    assert all(read["keysExamined"] <= 1 for read in reads), reads
