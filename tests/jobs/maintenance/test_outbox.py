"""Entries that applications insert into the outbox become jobs, or failures of their owners."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from bson import Int64, ObjectId
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.maintenance import outbox as converter_module
from ostinato.jobs.maintenance.outbox import OutboxConverter
from ostinato.jobs.mongo.diagnostics import inspect_mongo
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.mongo.outbox_validator import OUTBOX_VALIDATOR
from ostinato.jobs.settings import Settings
from tests.engine.outbox import convert, entry, insert, jobs_and_failures, rejection
from tests.engine.rig import Rig, run_worker, running_worker

Document = dict[str, Any]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
MANY = 1_000


async def test_entry_becomes_a_job_with_all_its_fields(rig_without_worker: Rig) -> None:
    options = {"key": "k", "queue": "mail", "priority": 3, "timeoutMs": Int64(5_000)}
    await insert(rig_without_worker, entry(runAt=NOW, **options))
    ((job,), failures) = await jobs_and_failures(rig_without_worker)
    assert failures == []
    assert (job["functionName"], job["owner"], job["args"]) == (
        *("functions.echo", "alice"),
        {"value": 1},
    )
    assert {name: job[name] for name in options} == options
    assert (job["scheduledTime"], job["state"], job["cause"]) == (
        *(NOW, "pending"),
        {"kind": "application"},
    )


async def test_fields_that_are_null_are_left_out(rig_without_worker: Rig) -> None:
    names = ("args", "runAt", "key", "queue", "priority", "timeoutMs")
    await insert(rig_without_worker, entry(**dict.fromkeys(names), owner=None))
    ((job,), failures) = await jobs_and_failures(rig_without_worker)
    assert (job["owner"], job["args"], failures) == (None, {"value": None}, [])


async def test_arguments_are_validated(rig_without_worker: Rig) -> None:
    failure = await rejection(rig_without_worker, entry(args={"valu": 1}))
    assert failure["owner"] == "alice"
    assert failure["functionName"] == "functions.echo"
    assert failure["error"] == {
        "name": "BadRequest",
        "message": "invalid arguments: args.valu: there is no argument 'valu': did you mean "
        "'value'?",
    }


async def test_failure_of_an_entry_contains_it_and_its_id(rig_without_worker: Rig) -> None:
    given = entry(_id=ObjectId(), args={"wrong": NOW})
    failure = await rejection(rig_without_worker, given)
    assert failure["outboxId"] == given["_id"]
    assert failure["attempts"] == 0
    assert failure["data"] == {
        **given,
        "_id": str(given["_id"]),
        "args": {"wrong": "2030-01-01T00:00:00.000Z"},
    }


async def test_dates_and_object_ids_in_arguments_become_text(rig_without_worker: Rig) -> None:
    order = ObjectId()
    await insert(rig_without_worker, entry(args={"value": [order, NOW, Int64(7), 1.5]}))
    ((job,), _) = await jobs_and_failures(rig_without_worker)
    assert job["args"] == {"value": [str(order), "2030-01-01T00:00:00.000Z", 7, 1.5]}


async def test_unknown_function_is_left_to_the_workers(rig_without_worker: Rig) -> None:
    await insert(rig_without_worker, entry(functionName="billing.charge", args={"cents": 5}))
    ((job,), failures) = await jobs_and_failures(rig_without_worker)
    assert (job["lane"], job["args"], failures) == ("default/?", {"cents": 5}, [])


async def test_function_of_ostinato_itself_is_rejected(rig_without_worker: Rig) -> None:
    forged = entry(functionName="owners.purge", args={"ownerId": "bob"}, owner=None)
    failure = await rejection(rig_without_worker, forged)
    assert "owners.purge is a part of Ostinato" in failure["error"]["message"]


async def test_used_key_gives_one_job_and_another_call_is_a_conflict(
    rig_without_worker: Rig,
) -> None:
    same = [entry(key="k") for _ in range(3)]
    await insert(rig_without_worker, *same)
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert (len(jobs), failures) == (1, [])
    await insert(rig_without_worker, entry(key="k"), entry(key="k", owner="bob"))
    await insert(rig_without_worker, entry(key="k", args={"value": 2}))
    (jobs, (conflict,)) = await jobs_and_failures(rig_without_worker)
    assert len(jobs) == 2
    assert conflict["error"]["name"] == "Conflict"


@pytest.mark.parametrize("field", ["functionName", "state", "args"])
async def test_entry_with_the_key_of_a_malformed_job_is_rejected(
    rig_without_worker: Rig, field: str
) -> None:
    await insert(rig_without_worker, entry(key="k"))
    await jobs_and_failures(rig_without_worker)
    await rig_without_worker.engine.mongo["jobs"].update_one({}, {"$unset": {field: ""}})
    await insert(rig_without_worker, entry(key="k"))
    (_, (failure,)) = await jobs_and_failures(rig_without_worker)
    assert failure["error"]["name"] == "Malformed"
    problem = f"the field '{field}' is missing; repair or delete it in MongoDB"
    assert failure["error"]["message"].endswith(problem)


async def test_suspended_owner_is_rejected(rig_without_worker: Rig) -> None:
    suspended = {"_id": "alice", "suspendedAt": NOW, "suspendedFor": "spam"}
    await rig_without_worker.engine.mongo["owners"].insert_one(suspended)
    await rig_without_worker.engine.owners.refresh()
    failure = await rejection(rig_without_worker, entry(owner="bob"), entry())
    assert failure["error"]["name"] == "OwnerSuspended"
    assert failure["owner"] == "alice"


async def test_quota_holds_and_used_keys_need_no_room(fast_settings: Settings) -> None:
    limited = fast_settings.model_copy(update={"quota_pending_jobs": 2})
    async with Engine.open(limited) as engine:
        rig = Rig(engine)
        failure = await rejection(rig, entry(key="a"), entry(key="b"), entry(key="c"))
        assert failure["error"]["name"] == "QuotaExceeded"
        await insert(rig, entry(key="a"), entry(key="b"))
        assert [len(each) for each in await jobs_and_failures(rig)] == [2, 1]


async def test_each_of_a_thousand_entries_becomes_one_job(rig_without_worker: Rig) -> None:
    await insert(rig_without_worker, *(entry(args={"value": n}) for n in range(MANY)))
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert sorted(job["args"]["value"] for job in jobs) == list(range(MANY))
    assert failures == []


async def test_two_leaders_at_once_convert_each_entry_once(rig_without_worker: Rig) -> None:
    await insert(rig_without_worker, *(entry(args={"value": n}) for n in range(100)))
    await asyncio.gather(*(convert(rig_without_worker) for _ in range(3)))
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert sorted(job["args"]["value"] for job in jobs) == list(range(100))
    assert failures == []


async def test_job_starts_after_the_commit_without_a_scan(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter_module, "SCAN_EVERY_S", 600.0)
    monkeypatch.setattr("ostinato.jobs.dispatch.dispatcher.POLL_INTERVAL_S", 600.0)
    rig = rig_without_worker
    await insert(rig, entry(args={"value": 0}))
    async with run_worker(fast_settings):
        await rig.wait_until(lambda: rig.has_jobs("echo", "success", 1))
        for number in (1, 2):
            async with (
                await rig.engine.mongo.client.start_session() as session,
                session.start_transaction(),
            ):
                outbox = rig.engine.mongo["outbox"]
                await outbox.insert_one(entry(args={"value": number}), session=session)
            await rig.wait_until(partial(rig.has_jobs, "echo", "success", number + 1))


async def test_entry_that_the_change_stream_missed_is_found(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter_module, "SCAN_EVERY_S", 0.05)
    monkeypatch.setattr(OutboxConverter, "wake", lambda self: None)
    async with running_worker(fast_settings):
        await insert(rig_without_worker, entry())
        await rig_without_worker.wait_until(lambda: rig_without_worker.has_jobs("echo", "success"))


async def test_rejected_entry_is_logged_without_its_content(rig_without_worker: Rig) -> None:
    await insert(rig_without_worker, entry(args={"secret": 1}))
    with capture_logs() as logs:
        await convert(rig_without_worker)
    (line,) = [line for line in logs if line["event"] == "outbox.rejected"]
    assert (line["count"], line["errors"]) == (1, ["BadRequest"])


async def problems_of(rig: Rig, *subjects: str) -> list[str]:
    """Return what `doctor` finds wrong about these subjects."""
    settings = rig.engine.settings
    found = await inspect_mongo(settings.mongo_url, settings.database)
    return [one.detail for one in found if not one.ok and one.subject in subjects]


async def test_outbox_that_an_application_created_gets_the_validator(
    rig_without_worker: Rig,
) -> None:
    mongo = rig_without_worker.engine.mongo
    await mongo.database.command({"collMod": "outbox", "validator": {}})
    (found,) = await problems_of(rig_without_worker, "validator outbox")
    assert "the validator is missing or outdated" in found
    await ensure_collections(mongo)
    rows = await mongo.database.list_collections(filter={"name": "outbox"})
    assert [row["options"]["validator"] async for row in rows] == [OUTBOX_VALIDATOR]
    assert await problems_of(rig_without_worker, "validator outbox") == []


async def test_doctor_counts_waiting_and_rejected_entries(rig_without_worker: Rig) -> None:
    assert await problems_of(rig_without_worker, "outbox") == []
    old = ObjectId.from_datetime(datetime(2024, 1, 1, tzinfo=UTC))
    await insert(rig_without_worker, entry(_id=old), entry(_id="x"), entry(args={"wrong": 1}))
    waiting = ["2 entries are waiting for over 10 s"]
    assert await problems_of(rig_without_worker, "outbox") == waiting
    await convert(rig_without_worker)
    rejected = ["1 entry is rejected, with unresolved failures"]
    assert await problems_of(rig_without_worker, "outbox") == rejected
