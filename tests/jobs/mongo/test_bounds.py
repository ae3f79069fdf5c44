"""Timelines are bounded, and a document that no transition can update blocks no other job."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from bson import encode
from pymongo import MongoClient
from pymongo.errors import WriteError
from structlog.testing import capture_logs

from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.lifecycle import MAX_EVENTS, TransitionName
from ostinato.jobs.records import Job
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.attempt import Attempt
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker

Database = MongoClient[dict[str, Any]]
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


def corrupt(rig: Rig, admin: Database, job_id: str, fields: dict[str, Any]) -> None:
    """Change a job's document to values that Ostinato never writes."""
    admin[rig.engine.settings.database]["jobs"].update_one({"_id": job_id}, {"$set": fields})


def state_of(admin: Database, settings: Settings, job_id: str) -> str:
    """Read only the state of a job, whose other fields may not be decodable."""
    found = admin[settings.database]["jobs"].find_one({"_id": job_id}, {"state": 1})
    assert found is not None
    return str(found["state"])


async def grow_document(
    rig: Rig, admin: Database, job_id: str, field: str, left_bytes: int
) -> None:
    """Grow a document until only a few bytes are left below 16 MB."""
    corrupt(rig, admin, job_id, {field: ""})
    size = len(encode(await rig.job(job_id)))
    corrupt(rig, admin, job_id, {field: "x" * (MAX_DOCUMENT_BYTES - size - left_bytes)})


async def extend_timeline(rig: Rig, admin: Database, job_id: str, events: int) -> None:
    """Repeat the first event of a job until its timeline has this many events."""
    first = (await rig.job(job_id))["timeline"][0]
    timeline = [{**first, "seq": n + 1} for n in range(events)]
    corrupt(rig, admin, job_id, {"timeline": timeline, "version": events})


async def test_cancel_and_retry_cycles_end_at_the_timeline_limit(
    rig_without_worker: Rig, mongo_admin: Database
) -> None:
    job_id = await rig_without_worker.schedule("echo")
    await extend_timeline(rig_without_worker, mongo_admin, job_id, MAX_EVENTS - 101)

    async def cancel_and_retry() -> None:
        for _ in range(MAX_EVENTS):
            await rig_without_worker.cancel(job_id)
            await rig_without_worker.engine.changes.retry(job_id)

    with pytest.raises(PreconditionFailed, match="has 508 of at most 512 events") as raised:
        await cancel_and_retry()
    assert "schedule a new job" in str(raised.value)
    assert len((await rig_without_worker.job(job_id))["timeline"]) == 508


async def test_retried_job_has_timeline_space_for_all_its_attempts(
    rig_without_worker: Rig, mongo_admin: Database
) -> None:
    job_id = await rig_without_worker.schedule("fail_twice")
    await rig_without_worker.cancel(job_id)
    await extend_timeline(rig_without_worker, mongo_admin, job_id, MAX_EVENTS - 3 * 3 - 2)
    await rig_without_worker.engine.changes.retry(job_id)
    await rig_without_worker.cancel(job_id)
    with pytest.raises(PreconditionFailed, match="of at most 512 events"):
        await rig_without_worker.engine.changes.retry(job_id)


async def test_job_with_a_full_timeline_fails_without_starting(
    rig: Rig, mongo_admin: Database
) -> None:
    new_job = await rig.build_job("hold")
    job_id = await rig.schedule_at(new_job, new_job.scheduled_time.replace(year=2100))
    await extend_timeline(rig, mongo_admin, job_id, MAX_EVENTS - 2)
    corrupt(rig, mongo_admin, job_id, {"scheduledTime": new_job.scheduled_time})
    job = await rig.wait_until_ended(job_id, within=30)
    assert (job["state"], job["error"]["name"]) == ("failed", "TimelineFull")
    assert (len(job["timeline"]), gate.visits) == (MAX_EVENTS, 0)
    assert [failure["jobId"] for failure in await rig.all("failures")] == [job_id]


MALFORMED_FIELDS: dict[str, dict[str, Any]] = {
    "text as timeline": {"timeline": "none"},
    "text as attempt": {"attempt": "many"},
    "null as version": {"version": None},
    "null as arguments": {"args": None},
    "null as cause": {"cause": None},
}


@pytest.mark.parametrize("fields", MALFORMED_FIELDS.values(), ids=MALFORMED_FIELDS.keys())
async def test_malformed_job_fails_alone(
    rig_without_worker: Rig, fast_settings: Settings, mongo_admin: Database, fields: dict[str, Any]
) -> None:
    before, bad, after = [await rig_without_worker.schedule("echo", value=n) for n in range(3)]
    corrupt(rig_without_worker, mongo_admin, bad, fields)
    async with run_worker(fast_settings):
        assert [
            (await rig_without_worker.wait_until_ended(job_id, 30))["state"]
            for job_id in (before, after)
        ] == ["success"] * 2
        await rig_without_worker.wait_for_state(bad, "failed", within=30)
    assert [failure["jobId"] for failure in await rig_without_worker.all("failures")] == [bad]


@pytest.mark.parametrize(
    ("field", "left_bytes"),
    [("filler", 8), ("args.value", 8), ("timeline.0.filler", 8), ("filler", 500), ("filler", 900)],
)
async def test_job_too_large_to_start_or_complete_fails_alone(
    rig_without_worker: Rig,
    fast_settings: Settings,
    mongo_admin: Database,
    field: str,
    left_bytes: int,
) -> None:
    before, bad, after = [
        await rig_without_worker.schedule("echo", value="x" * 200) for _ in range(3)
    ]
    await grow_document(rig_without_worker, mongo_admin, bad, field, left_bytes)
    async with run_worker(fast_settings):
        assert [
            (await rig_without_worker.wait_until_ended(job_id, 30))["state"]
            for job_id in (before, after)
        ] == ["success"] * 2
        job = await rig_without_worker.wait_for_state(bad, "failed", within=30)
    assert job["error"]["name"] == "DocumentTooLarge"
    assert [failure["jobId"] for failure in await rig_without_worker.all("failures")] == [bad]


@contextmanager
def rejecting_writes(admin: Database, database: str, rule: dict[str, Any]) -> Iterator[None]:
    """Make MongoDB reject every write of jobs that do not match."""
    admin[database].command("collMod", "jobs", validator=rule)
    try:
        yield
    finally:
        admin[database].command("collMod", "jobs", validator={})


async def test_unwritable_jobs_do_not_block_their_lane(
    rig_without_worker: Rig, fast_settings: Settings, mongo_admin: Database
) -> None:
    bad = [await rig_without_worker.schedule("echo") for _ in range(12)]
    good = [await rig_without_worker.schedule("echo") for _ in range(3)]
    narrow = fast_settings.model_copy(update={"concurrency": 2})
    with rejecting_writes(mongo_admin, fast_settings.database, {"_id": {"$nin": bad}}):
        async with run_worker(narrow):
            assert [
                (await rig_without_worker.wait_until_ended(job_id, 30))["state"] for job_id in good
            ] == ["success"] * 3
    assert {(await rig_without_worker.job(job_id))["state"] for job_id in bad} == {"pending"}


async def test_log_does_not_quote_a_job_rejected_by_a_validator(
    rig_without_worker: Rig, mongo_admin: Database
) -> None:
    job_id = await rig_without_worker.schedule("echo", value="secret")
    rule = {"args.value": {"$ne": "secret"}}
    with (
        rejecting_writes(mongo_admin, rig_without_worker.engine.settings.database, rule),
        capture_logs() as logs,
    ):
        await rig_without_worker.claim(job_id)
    (line,) = [line for line in logs if line["event"] == "job.unwritable"]
    assert line["job_id"] == job_id
    assert "secret" not in repr(line)


async def test_job_with_a_malformed_retry_policy_fails_at_its_first_error(
    rig_without_worker: Rig,
) -> None:
    (claimed,) = await rig_without_worker.claim(await rig_without_worker.schedule("fail_twice"))
    attempt = Attempt(claimed._replace(policy={}), retention_ms=1_000)
    outcome = attempt.outcome_of_error({"name": "ValueError"}, lambda: 0.5)
    assert outcome.transition is TransitionName.FAIL


@pytest.mark.parametrize("fields", [{"timeline": "none"}, {"args": None}])
async def test_malformed_job_of_a_lost_worker_fails_and_the_others_run_again(
    rig_without_worker: Rig, fast_settings: Settings, mongo_admin: Database, fields: dict[str, Any]
) -> None:
    jobs = [await rig_without_worker.schedule("count", name=str(n)) for n in range(3)]
    for job_id in jobs:
        await rig_without_worker.claim(job_id, "gone")
    corrupt(rig_without_worker, mongo_admin, jobs[1], fields)
    async with run_worker(fast_settings):
        assert [
            (await rig_without_worker.wait_until_ended(jobs[n], 30))["state"] for n in (0, 2)
        ] == ["success"] * 2
        await rig_without_worker.wait_until(
            lambda: state_of(mongo_admin, fast_settings, jobs[1]) == "failed", 30
        )


async def test_mutation_too_large_to_complete_does_not_affect_the_others(
    rig_without_worker: Rig, fast_settings: Settings, mongo_admin: Database
) -> None:
    jobs = [await rig_without_worker.schedule("count", name=str(n)) for n in range(5)]
    await grow_document(rig_without_worker, mongo_admin, jobs[2], "filler", 500)
    async with run_worker(fast_settings):
        ended = [await rig_without_worker.wait_until_ended(job_id, 30) for job_id in jobs]
    assert [job["state"] for job in ended] == ["success"] * 2 + ["failed"] + ["success"] * 2
    assert {effect["name"] for effect in await rig_without_worker.all("effects")} == {
        "0",
        "1",
        "3",
        "4",
    }


async def test_malformed_running_job_does_not_prevent_stopping_others(
    rig: Rig, mongo_admin: Database
) -> None:
    malformed_documents, other = [await rig.schedule("hold") for _ in range(2)]
    await rig.wait_until(lambda: gate.visits == 2)
    corrupt(rig, mongo_admin, malformed_documents, {"attempt": ["x"]})
    (worker,) = await rig.all("workers")
    await rig.cancel(other)
    assert (await rig.wait_until_ended(other, 30))["state"] == "canceled"
    assert [row["_id"] for row in await rig.all("workers")] == [worker["_id"]]
    gate.opened.set()


async def test_new_job_rejected_by_mongodb_does_not_prevent_scheduling_others(
    rig_without_worker: Rig, mongo_admin: Database
) -> None:
    new_jobs = [
        replace(await rig_without_worker.build_job("echo"), owner=owner)
        for owner in ("ann", "bob", "zoe")
    ]
    planned = (rig_without_worker.engine.schedule(new_job) for new_job in new_jobs)
    with rejecting_writes(
        mongo_admin, rig_without_worker.engine.settings.database, {"owner": {"$ne": "bob"}}
    ):
        results = await asyncio.gather(*planned, return_exceptions=True)
    assert [isinstance(result, Job) for result in results] == [True, False, True]
    assert {job["owner"] for job in await rig_without_worker.find_jobs("echo")} == {"ann", "zoe"}


async def test_error_for_a_rejected_new_job_does_not_quote_it(
    rig_without_worker: Rig, mongo_admin: Database
) -> None:
    new_job = await rig_without_worker.build_job("echo", {"value": "secret"})
    failed = pytest.raises(WriteError, match="Document failed validation")
    rule = {"args.value": {"$ne": "secret"}}
    with (
        rejecting_writes(mongo_admin, rig_without_worker.engine.settings.database, rule),
        failed as raised,
    ):
        await rig_without_worker.engine.schedule(new_job)
    assert "secret" not in repr(raised.value)
