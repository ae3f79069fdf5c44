"""Scheduling of jobs: accepted and rejected calls, and keys."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import Code
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from ostinato.jobs.context import Context, JobOptions
from ostinato.jobs.errors import BadRequest, Conflict
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind
from tests.engine.rig import Rig

FIVE_YEARS_MS = 5 * 365 * 24 * 3_600_000


async def schedule_with(rig: Rig, **call: Any) -> str:
    """Call `run_after`, or `run_at` with the argument `when`, in a transaction of the API."""

    async def body(ctx: Context) -> str:
        name, args = call.get("name", "functions.echo"), call.get("args", {})
        if "when" in call:
            return await ctx.scheduler.run_at(call["when"], name, args)
        options: JobOptions = call.get("options", {})
        return await ctx.scheduler.run_after(call.get("delay_ms", 0), name, args, **options)

    return await rig.engine.transact("alice", body)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ({"name": "functions.nothing"}, ("functionName",)),
        ({"name": "$owner"}, ("functionName",)),
        ({"args": {"value": 1, "other": 2}}, ("args", "other")),
        ({"name": "functions.scheduleMany", "args": {"number": "many"}}, ("args", "number")),
        ({"name": "functions.scheduleMany"}, ("args", "number")),
        ({"args": {"value": "x" * 70_000}}, ("args",)),
        ({"delay_ms": -1}, ("delayMs",)),
        ({"delay_ms": FIVE_YEARS_MS + 86_400_000}, ("when",)),
        ({"delay_ms": 10**30}, ("when",)),
        ({"when": datetime(2020, 1, 1)}, ("when",)),  # noqa: DTZ001 - rejected
    ],
)
async def test_an_invalid_call_is_rejected_with_its_issue(
    rig_without_worker: Rig, call: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(BadRequest) as raised:
        await schedule_with(rig_without_worker, **call)
    assert [issue.path for issue in raised.value.issues] == [path]
    assert await rig_without_worker.all("jobs") == []


@pytest.mark.parametrize("cause", [Cause(kind=CauseKind.JOB, id={"$ne": 1}), {"kind": "job"}])  # type: ignore[arg-type]
async def test_a_cause_that_is_not_plain_text_is_rejected(
    rig_without_worker: Rig, cause: Cause
) -> None:
    with pytest.raises(BadRequest) as raised:
        await schedule_with(rig_without_worker, options={"cause": cause})
    assert [issue.path for issue in raised.value.issues] == [("cause",)]
    assert await rig_without_worker.all("jobs") == []


async def test_a_string_of_a_subclass_is_stored_as_a_plain_string(rig_without_worker: Rig) -> None:
    name, queue = Code("functions.echo"), Code("default")
    job = await rig_without_worker.job(
        await schedule_with(rig_without_worker, name=name, options={"queue": queue})
    )
    assert [type(job[field]) for field in ("functionName", "queue", "lane")] == [str] * 3
    assert job["queue"] == "default"


async def test_function_with_an_invalid_schedule_call_fails_at_the_call(rig: Rig) -> None:
    job = await rig.run("schedule_by_name", name="functions.nothing")
    assert (job["state"], job["error"]["name"]) == ("failed", "BadRequest")


async def test_all_issues_of_a_call_are_reported_together(rig_without_worker: Rig) -> None:
    with pytest.raises(BadRequest) as raised:
        await rig_without_worker.build_job(
            "schedule_many", {"number": "x", "letters": None, "more": 1}
        )
    assert len(raised.value.issues) == 3


async def test_the_error_message_names_the_invalid_argument(rig_without_worker: Rig) -> None:
    with pytest.raises(BadRequest, match=r"args\.number: is required"):
        await schedule_with(rig_without_worker, name="functions.scheduleMany")


async def test_job_scheduled_in_the_past_runs_at_once_and_keeps_its_scheduled_time(
    rig: Rig,
) -> None:
    past = (await rig.engine.now()) - timedelta(days=400)
    job = await rig.wait_until_ended(await schedule_with(rig, when=past))
    assert (job["state"], job["scheduledTime"]) == ("success", past)


async def test_a_job_within_five_years_is_accepted(rig_without_worker: Rig) -> None:
    job = await rig_without_worker.job(
        await schedule_with(rig_without_worker, delay_ms=FIVE_YEARS_MS)
    )
    ahead = job["scheduledTime"] - job["createdAt"] - timedelta(milliseconds=FIVE_YEARS_MS)
    assert timedelta(0) <= ahead < timedelta(seconds=30)


async def build_keyed_job(
    rig: Rig, value: object, key: str = "$key", owner: str = "alice"
) -> NewJob:
    return replace(await rig.build_job("echo", {"value": value}), key=key, owner=owner)


async def test_same_key_returns_the_same_job(rig_without_worker: Rig) -> None:
    new_jobs = [await build_keyed_job(rig_without_worker, 1) for _ in range(10)]
    first = await asyncio.gather(*map(rig_without_worker.engine.schedule, new_jobs))
    second = await rig_without_worker.engine.schedule(new_jobs[0])
    assert {job.id for job in [*first, second]} == {first[0].id}


async def test_owners_may_use_the_same_key(rig_without_worker: Rig) -> None:
    mine = await rig_without_worker.engine.schedule(await build_keyed_job(rig_without_worker, 1))
    theirs = await rig_without_worker.engine.schedule(
        await build_keyed_job(rig_without_worker, 2, owner="bob")
    )
    assert mine.id != theirs.id


@pytest.mark.parametrize("other", [2, True, 1.0, "1", None])
async def test_a_key_with_other_arguments_is_a_conflict(
    rig_without_worker: Rig, other: object
) -> None:
    await rig_without_worker.engine.schedule(await build_keyed_job(rig_without_worker, 1))
    with pytest.raises(Conflict, match="key"):
        await rig_without_worker.engine.schedule(await build_keyed_job(rig_without_worker, other))


async def test_a_key_of_another_function_is_a_conflict(rig_without_worker: Rig) -> None:
    await rig_without_worker.engine.schedule(await build_keyed_job(rig_without_worker, 1))
    other = replace(
        await rig_without_worker.build_job("echo_in_mutation", {"value": 1}), key="$key"
    )
    with pytest.raises(Conflict):
        await rig_without_worker.engine.schedule(other)


async def test_all_jobs_of_a_burst_run_once(rig: Rig) -> None:
    ids = await asyncio.gather(*(rig.schedule("echo", value=number) for number in range(500)))
    jobs = [await rig.wait_until_ended(job_id) for job_id in ids]
    assert [job["result"] for job in jobs] == list(range(500))
    assert {job["attempt"] for job in jobs} == {1}


async def test_scheduling_raises_if_the_write_is_not_acknowledged_by_a_majority(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = rig_without_worker.engine.store
    monkeypatch.setattr(store, "_jobs", store._jobs.with_options(write_concern=WriteConcern(w=2)))
    with pytest.raises(BulkWriteError):
        await rig_without_worker.schedule("echo")
