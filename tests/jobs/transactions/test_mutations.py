"""A mutation function takes effect exactly once, or not at all."""

import asyncio

import pytest

from ostinato.jobs.errors import PayloadTooLarge
from ostinato.jobs.transactions.transactor import MAX_JOBS
from tests.engine.functions import calls, gate
from tests.engine.rig import Rig, state_changes

RUN = [(None, "pending"), ("pending", "inProgress")]


async def test_writes_and_jobs_commit_with_the_success_of_the_mutation(rig: Rig) -> None:
    job = await rig.run("count", name="a")
    assert state_changes(job) == [*RUN, ("inProgress", "success")]
    assert [effect["name"] for effect in await rig.all("effects")] == ["a"]
    scheduled = await rig.find_jobs("echo")
    assert [child["_id"] for child in scheduled] == [job["result"]]
    assert scheduled[0]["cause"] == {"kind": "job", "id": job["_id"]}
    assert (scheduled[0]["state"], scheduled[0]["owner"]) == ("pending", "alice")


async def test_mutation_that_raises_fails_and_leaves_nothing(rig: Rig) -> None:
    job = await rig.run("count", name="a", fail=True)
    assert state_changes(job) == [*RUN, ("inProgress", "failed")]
    assert (job["error"]["name"], job["error"]["message"]) == ("ValueError", "a")
    assert [await rig.all("effects"), await rig.find_jobs("echo")] == [[], []]
    assert [failure["jobId"] for failure in await rig.all("failures")] == [job["_id"]]


async def test_conflict_reruns_the_body_within_the_attempt(rig: Rig) -> None:
    slow = await rig.schedule("read_then_write")
    await gate.reached.wait()
    assert (await rig.run("read_then_write"))["result"] == 1
    gate.opened.set()
    job = await rig.wait_until_ended(slow)
    assert (job["state"], job["result"], job["attempt"]) == ("success", 2, 1)
    assert calls == ["read"] * 3


async def test_conflicting_mutations_each_take_effect_once(rig: Rig) -> None:
    gate.visits = 1
    ids = await asyncio.gather(*(rig.schedule("read_then_write") for _ in range(12)))
    results = [(await rig.wait_until_ended(job_id))["result"] for job_id in ids]
    assert sorted(results) == list(range(1, 13))
    assert [counter["value"] for counter in await rig.all("counters")] == [12]


async def test_mutation_that_times_out_fails_and_leaves_no_writes(rig: Rig) -> None:
    job = await rig.run("hold_in_mutation")
    assert (job["state"], job["error"]["name"]) == ("failed", "TimeoutError")
    assert "1500 ms" in job["error"]["message"]
    assert await rig.all("effects") == []


async def test_one_transaction_schedules_a_thousand_jobs(rig: Rig) -> None:
    job_id = await rig.schedule("schedule_many", number=MAX_JOBS)
    assert (await rig.wait_until_ended(job_id, within=30))["result"] == MAX_JOBS
    assert len(await rig.find_jobs("echo")) == MAX_JOBS


@pytest.mark.parametrize(("number", "letters"), [(MAX_JOBS + 1, 1), (200, 50_000)])
async def test_exceeding_transaction_limits_raises_a_clear_error(
    rig: Rig, number: int, letters: int
) -> None:
    job_id = await rig.schedule("schedule_many", number=number, letters=letters)
    job = await rig.wait_until_ended(job_id, within=30)
    assert (job["state"], job["error"]["name"]) == ("failed", PayloadTooLarge.__name__)
    assert "at most 1,000 jobs with 8,388,608 bytes" in job["error"]["message"]
    assert await rig.find_jobs("echo") == []


async def test_mutation_that_cancels_its_own_job_is_canceled_and_leaves_nothing(rig: Rig) -> None:
    job = await rig.run("cancel_in_mutation", job_id="")
    assert job["state"] == "canceled"
    assert job["attempt"] == 1


async def test_mutation_can_cancel_a_pending_job(rig: Rig) -> None:
    victim = (await rig.run("count", name="a"))["result"]
    assert (await rig.run("cancel_in_mutation", job_id=victim))["result"] is True
    assert (await rig.job(victim))["state"] == "canceled"
    assert (await rig.run("cancel_in_mutation", job_id=victim))["result"] is False


async def test_task_that_outlives_its_mutation_cannot_write(rig: Rig) -> None:
    job = await rig.run("insert_effect", name="one", behavior="linger")
    gate.opened.set()
    with pytest.raises(RuntimeError, match="has returned, so its transaction is closed"):
        await calls.pop()
    assert job["state"] == "success"
    assert [effect["name"] for effect in await rig.all("effects")] == ["one"]


@pytest.mark.parametrize("behavior", ["schedule late", "cancel late"])
async def test_task_that_outlives_its_mutation_cannot_schedule_or_cancel(
    rig: Rig, behavior: str
) -> None:
    job = await rig.run("insert_effect", name="one", behavior=behavior)
    gate.opened.set()
    with pytest.raises(RuntimeError, match="has returned, so its transaction is closed"):
        await calls.pop()
    assert (job["state"], await rig.find_jobs("echo")) == ("success", [])


@pytest.mark.parametrize("behavior", ["swallow", "swallow twice", "swallow and cancel"])
async def test_mutation_that_continues_after_a_rejected_write_fails_at_once(
    rig: Rig, behavior: str
) -> None:
    await rig.engine.mongo["effects"].insert_one({"_id": "the same"})
    job = await rig.run("insert_effect", name="one", behavior=behavior)
    assert (job["state"], job["attempt"], job["error"]["name"]) == ("failed", 1, "WriteRefused")
    assert "E11000 duplicate key" in job["error"]["message"]
    assert "upsert=True" in job["error"]["message"]
    assert "clusterTime" not in job["error"]["message"]
    assert [effect["_id"] for effect in await rig.all("effects")] == ["the same"]
