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


async def scheduled(rig: Rig, **call: Any) -> str:
    """Call `run_after`, or `run_at` if a time is given, in a transaction of the API."""

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
    idle: Rig, call: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(BadRequest) as raised:
        await scheduled(idle, **call)
    assert [issue.path for issue in raised.value.issues] == [path]
    assert await idle.all("jobs") == []


@pytest.mark.parametrize("cause", [Cause(kind=CauseKind.JOB, id={"$ne": 1}), {"kind": "job"}])  # type: ignore[arg-type]
async def test_a_cause_that_is_not_plain_text_is_rejected(idle: Rig, cause: Cause) -> None:
    with pytest.raises(BadRequest) as raised:
        await scheduled(idle, options={"cause": cause})
    assert [issue.path for issue in raised.value.issues] == [("cause",)]
    assert await idle.all("jobs") == []


async def test_a_string_of_a_subclass_is_stored_as_a_plain_string(idle: Rig) -> None:
    name, queue = Code("functions.echo"), Code("default")
    job = await idle.job(await scheduled(idle, name=name, options={"queue": queue}))
    assert [type(job[field]) for field in ("functionName", "queue", "lane")] == [str] * 3
    assert job["queue"] == "default"


async def test_function_with_an_invalid_schedule_call_fails_at_the_call(rig: Rig) -> None:
    job = await rig.run("schedule_badly", name="functions.nothing")
    assert (job["state"], job["error"]["name"]) == ("failed", "BadRequest")


async def test_all_issues_of_a_call_are_reported_together(idle: Rig) -> None:
    with pytest.raises(BadRequest) as raised:
        await idle.plan("schedule_many", {"number": "x", "letters": None, "more": 1})
    assert len(raised.value.issues) == 3


async def test_the_error_message_names_the_invalid_argument(idle: Rig) -> None:
    with pytest.raises(BadRequest, match=r"args\.number: field required"):
        await scheduled(idle, name="functions.scheduleMany")


async def test_job_scheduled_in_the_past_runs_at_once_and_keeps_its_scheduled_time(
    rig: Rig,
) -> None:
    past = (await rig.engine.now()) - timedelta(days=400)
    job = await rig.ended(await scheduled(rig, when=past))
    assert (job["state"], job["scheduledTime"]) == ("success", past)


async def test_a_job_within_five_years_is_accepted(idle: Rig) -> None:
    job = await idle.job(await scheduled(idle, delay_ms=FIVE_YEARS_MS))
    ahead = job["scheduledTime"] - job["createdAt"] - timedelta(milliseconds=FIVE_YEARS_MS)
    assert timedelta(0) <= ahead < timedelta(seconds=1)


async def keyed(rig: Rig, value: object, key: str = "$key", owner: str = "alice") -> NewJob:
    return replace(await rig.plan("echo", {"value": value}), key=key, owner=owner)


async def test_same_key_returns_the_same_job(idle: Rig) -> None:
    plans = [await keyed(idle, 1) for _ in range(10)]
    first = await asyncio.gather(*map(idle.engine.schedule, plans))
    second = await idle.engine.schedule(plans[0])
    assert {job.id for job in [*first, second]} == {first[0].id}


async def test_owners_may_use_the_same_key(idle: Rig) -> None:
    mine = await idle.engine.schedule(await keyed(idle, 1))
    theirs = await idle.engine.schedule(await keyed(idle, 2, owner="bob"))
    assert mine.id != theirs.id


@pytest.mark.parametrize("other", [2, True, 1.0, "1", None])
async def test_a_key_with_other_arguments_is_a_conflict(idle: Rig, other: object) -> None:
    await idle.engine.schedule(await keyed(idle, 1))
    with pytest.raises(Conflict, match="key"):
        await idle.engine.schedule(await keyed(idle, other))


async def test_a_key_of_another_function_is_a_conflict(idle: Rig) -> None:
    await idle.engine.schedule(await keyed(idle, 1))
    other = replace(await idle.plan("echo_in_mutation", {"value": 1}), key="$key")
    with pytest.raises(Conflict):
        await idle.engine.schedule(other)


async def test_all_jobs_of_a_burst_run_once(rig: Rig) -> None:
    ids = await asyncio.gather(*(rig.schedule("echo", value=number) for number in range(500)))
    jobs = [await rig.ended(job_id) for job_id in ids]
    assert [job["result"] for job in jobs] == list(range(500))
    assert {job["attempt"] for job in jobs} == {1}


async def test_scheduling_raises_if_the_write_is_not_acknowledged_by_a_majority(
    idle: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = idle.engine.store
    monkeypatch.setattr(store, "_jobs", store._jobs.with_options(write_concern=WriteConcern(w=2)))
    with pytest.raises(BulkWriteError):
        await idle.schedule("echo")
