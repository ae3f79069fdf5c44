"""Malformed documents stop no worker: queues, workers, leaders, due times, rates, pending jobs."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from bson import Code, DBRef, Decimal128
from pymongo import MongoClient

from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.mongo.queue_diagnostics import inspect_queues
from ostinato.jobs.mongo.queues import QueueStore
from ostinato.jobs.mongo.rate_limits import RateLimitStore, StartRequest
from ostinato.jobs.mongo.workers import Fleet, WorkerStore
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.settings import Settings
from tests.engine.rig import Document, Rig, run_worker
from tests.malformed import UNEXPECTED_VALUES, malformed_documents, valid_document

PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
QUEUE: Final[Document] = {"paused": False, "weight": 5, "version": 3}
WORKER: Final[Document] = {
    "host": "here",
    "pid": 1,
    "version": "1.0",
    "concurrency": 10,
    "queues": ["default"],
    "running": 0,
    "loopLagMs": 0,
    "jobIds": [],
    "startedAt": PAST,
    "heardAt": datetime(2100, 1, 1, tzinfo=UTC),
}
LIMIT: Final = RateLimit(count=10, per_ms=1_000)


def malformed_variants(document: Document) -> list[Document]:
    """Build a malformed document for each field and type of value, with distinct ids."""
    incomplete = [{k: v for k, v in document.items() if k != field} for field in document]
    odd = [document | {field: value} for field in document for value in UNEXPECTED_VALUES.values()]
    variants = [{}, *incomplete, *odd]
    made = [{**variant, "_id": f"odd-{n}"} for n, variant in enumerate(variants)]
    return [
        *made,
        *(
            document | {"_id": UNEXPECTED_VALUES[name]}
            for name in ("number", "object id", "object", "code", "reference")
        ),
    ]


async def insert(rig: Rig, collection: str, *documents: Document) -> None:
    await rig.engine.mongo[collection].insert_many(documents)


async def replace(rig: Rig, collection: str, document_id: str, document: Document) -> None:
    where = {"_id": document_id}
    await rig.engine.mongo[collection].replace_one(where, document, upsert=True)


async def test_workers_start_and_run_jobs_despite_malformed_documents(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    await insert(
        rig_without_worker, "queues", {"_id": "default", "weight": 5}, *malformed_variants(QUEUE)
    )
    await insert(rig_without_worker, "workers", *malformed_variants(WORKER))
    await insert(
        rig_without_worker, "leaders", {"_id": "dispatcher", "worker": 7, "until": "forever"}
    )
    await insert(rig_without_worker, "clock", {"_id": "offset", "ms": "many"})
    async with run_worker(fast_settings):
        assert (await rig_without_worker.run("echo", value=1))["state"] == "success"


async def test_malformed_workers_do_not_hide_which_queues_are_served(
    rig_without_worker: Rig,
) -> None:
    await insert(
        rig_without_worker,
        "workers",
        *malformed_variants(WORKER),
        {**WORKER, "_id": "a", "queues": ["mine"]},
    )
    served = await WorkerStore(rig_without_worker.engine.mongo).find_served_queues(60_000)
    assert {"default", "mine"} <= served
    settings = rig_without_worker.engine.settings
    with MongoClient[Document](settings.mongo_url) as client:
        found = inspect_queues(client[settings.database], 60_000)
    assert [finding.fix for finding in found] == [None]
    assert "'mine'" in found[0].detail


async def test_malformed_pending_jobs_do_not_delay_other_jobs(rig: Rig) -> None:
    jobs = [job for _, job in malformed_documents("jobs", "mallory")]
    for job in jobs:
        if job.get("scheduledTime") == valid_document("jobs")["scheduledTime"]:
            job["scheduledTime"] = PAST
    await insert(rig, "jobs", *jobs)
    job_id = await rig.schedule("echo", value=1)
    assert (await rig.wait_until_ended(job_id, within=30))["state"] == "success"


@pytest.mark.parametrize("field", QUEUE)
async def test_queue_uses_defaults_for_malformed_fields(
    rig_without_worker: Rig, field: str, subtests: pytest.Subtests
) -> None:
    for odd, value in UNEXPECTED_VALUES.items():
        with subtests.test(odd):
            await replace(rig_without_worker, "queues", "default", QUEUE | {field: value})
            queue = (await QueueStore(rig_without_worker.engine.mongo).all())["default"]
            others = {name: QUEUE[name] for name in QUEUE.keys() - {field}}
            assert {name: getattr(queue, name) for name in others} == others
            assert isinstance(queue.paused, bool)
            assert 1 <= queue.weight <= 1_000
            paused = await QueueStore(rig_without_worker.engine.mongo).pause("default")
            assert paused.paused


async def test_workers_are_listed_despite_malformed_heartbeats(rig_without_worker: Rig) -> None:
    store = WorkerStore(rig_without_worker.engine.mongo)
    await insert(
        rig_without_worker, "workers", *malformed_variants(WORKER), {**WORKER, "_id": "sound"}
    )
    assert "sound" in [worker.id for worker in await store.find_all()]
    assert await store.find_unregistered_holders() == []
    assert isinstance(await store.read_fleet(), Fleet)
    assert (await store.read_fleet()).size("default") >= 1


async def test_malformed_leader_document_does_not_prevent_election(
    rig_without_worker: Rig, subtests: pytest.Subtests
) -> None:
    for odd, value in UNEXPECTED_VALUES.items():
        with subtests.test(odd):
            leader = {"worker": "dead", "until": value}
            await replace(rig_without_worker, "leaders", "dispatcher", leader)
            assert await WorkerStore(rig_without_worker.engine.mongo).acquire_leadership(
                "dispatcher", "w1", 1_000
            )


async def test_malformed_lease_can_be_acquired(rig_without_worker: Rig) -> None:
    until = datetime.now(UTC) + timedelta(days=365)
    await insert(
        rig_without_worker, "leaders", {"_id": "dispatcher", "worker": "dead", "until": until}
    )
    store = WorkerStore(rig_without_worker.engine.mongo)
    assert await store.acquire_leadership("dispatcher", "w1", 60_000)
    assert not await store.acquire_leadership("dispatcher", "w2", 60_000)


@pytest.mark.parametrize(
    "odd", sorted(UNEXPECTED_VALUES.keys() - {"number", "true"})
)  # both are valid offsets
async def test_malformed_time_offset_leaves_due_time_at_the_server_time(
    rig_without_worker: Rig, odd: str
) -> None:
    await insert(rig_without_worker, "clock", {"_id": "offset", "ms": UNEXPECTED_VALUES[odd]})
    assert await rig_without_worker.engine.clock.read() == 0


async def test_malformed_rate_does_not_delay_starts(
    rig_without_worker: Rig, subtests: pytest.Subtests
) -> None:
    buckets = RateLimitStore(rig_without_worker.engine.mongo)
    now = await rig_without_worker.engine.now()
    for odd, value in UNEXPECTED_VALUES.items():
        with subtests.test(odd):
            bucket = {"reserved": value, "started": value}
            await replace(rig_without_worker, "buckets", "b", bucket)
            assert (await buckets.read_quota("b", LIMIT, now)).free > 0
            acquired = await buckets.acquire("b", LIMIT, StartRequest(new=1, reserved=0), 0)
            assert acquired.start_now == 1


@pytest.mark.parametrize("odd", ["null", "text", "number", "far date", "early date", "object id"])
async def test_lane_skips_malformed_due_times(rig_without_worker: Rig, odd: str) -> None:
    odd_times = [valid_document("jobs", scheduledTime=UNEXPECTED_VALUES[odd]) for _ in range(3)]
    await insert(rig_without_worker, "jobs", *odd_times, valid_document("jobs", scheduledTime=PAST))
    due = DueJobs(rig_without_worker.engine.mongo)
    ((lane, at),) = (await due.lane_heads("default")).items()
    assert at == PAST
    assert [job.scheduled_time for job in await due.find_first(lane, 2, frozenset())] == [PAST]
    counts = await due.count_due([lane], await rig_without_worker.engine.now())
    assert counts == {"default": 1}


@pytest.mark.parametrize(
    "make_id", ["{:03}".format, lambda n: Code(str(n)), lambda n: DBRef("a", {"b": n})]
)
async def test_jobs_with_ids_of_another_type_do_not_block_others(
    rig_without_worker: Rig, make_id: Callable[[int], object]
) -> None:
    odd = [valid_document("jobs", scheduledTime=PAST, _id=make_id(n)) for n in range(20)]
    job = valid_document("jobs", scheduledTime=PAST + timedelta(days=1))
    await insert(rig_without_worker, "jobs", *odd, job)
    due = DueJobs(rig_without_worker.engine.mongo)
    ((lane, _),) = (await due.lane_heads("default")).items()
    found: list[Any] = []
    for _ in range(10):
        found += await due.find_first(lane, 5, frozenset())
    assert job["_id"] in [job.id for job in found]


async def test_repaired_pending_job_is_found_again(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.mongo.due_jobs.QUARANTINE_S", 0)
    job = valid_document("jobs", scheduledTime=PAST) | {"owner": 7}
    await insert(rig_without_worker, "jobs", job)
    due = DueJobs(rig_without_worker.engine.mongo)
    (lane,) = await due.lane_heads("default")
    assert await due.find_first(lane, 1, frozenset()) == []
    await rig_without_worker.engine.mongo["jobs"].update_one(
        {"_id": job["_id"]}, {"$set": {"owner": "ann"}}
    )
    assert [found.id for found in await due.find_first(lane, 1, frozenset())] == [job["_id"]]


ODD_ATTEMPTS: Final[dict[str, Document]] = {
    "decimal attempt": {"attempt": Decimal128("0")},
    "NaN attempt": {"attempt": math.nan},
    "decimal": {"maxAttempts": Decimal128("3")},
    "text": {"maxAttempts": "three"},
    "code": {"maxAttempts": Code("3")},
    "null": {"maxAttempts": None},
    "huge": {"maxAttempts": 2**62},
}


@pytest.mark.parametrize("odd", ODD_ATTEMPTS)
async def test_job_with_malformed_attempts_fails_and_frees_its_slot(
    fast_settings: Settings, rig_without_worker: Rig, odd: str
) -> None:
    rig = rig_without_worker
    call: Document = {"functionName": "functions.failWith", "args": {"message": "no"}}
    job = call | {"scheduledTime": PAST} | ODD_ATTEMPTS[odd]
    await insert(rig, "jobs", *(valid_document("jobs", **job) for _ in range(2)))
    async with run_worker(fast_settings.model_copy(update={"concurrency": 1})):
        assert (await rig.run("echo", value=1))["state"] == "success"
        await rig.wait_until(lambda: rig.has_jobs("fail_with", "failed", 2))
    jobs = await rig.find_jobs("fail_with")
    assert all("whole number" in str(job["error"]) or odd == "huge" for job in jobs)
