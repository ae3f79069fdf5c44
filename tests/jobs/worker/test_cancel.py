"""A canceled job stops within two seconds, in any state, and schedules nothing that runs."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import JobState
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.running_attempt import StopReason
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.engine.functions import calls, gate
from tests.engine.rig import SLOT, Document, Rig, state_changes


async def test_canceled_pending_job_never_runs(rig: Rig) -> None:
    due = await rig.engine.now() + timedelta(hours=1)
    new_job = await rig.build_job("fail_with", {"message": "never"})
    job = await rig.schedule_at(new_job, due)
    assert (await rig.cancel(job)).state is JobState.CANCELED
    await rig.engine.advance(2 * 3_600_000)
    await rig.run("echo")
    assert state_changes(await rig.job(job)) == [(None, "pending"), ("pending", "canceled")]


@pytest.mark.parametrize("name", ["hold", "hold_in_mutation", "wait_forever"])
async def test_canceled_running_job_stops(rig: Rig, name: str) -> None:
    job_id = await rig.schedule(name)
    await rig.wait_for_state(job_id, "inProgress")
    canceled = await rig.cancel(job_id)
    assert (canceled.state, canceled.cancel_requested_at is not None) == (
        JobState.IN_PROGRESS,
        True,
    )
    job = await rig.wait_until_ended(job_id)
    assert state_changes(job)[-2:] == [("inProgress", "inProgress"), ("inProgress", "canceled")]
    assert (await rig.all("effects"), await rig.all("failures")) == ([], [])


async def test_canceled_running_job_stops_without_redis(rig: Rig) -> None:
    job_id = await rig.schedule("wait_forever")
    await rig.wait_for_state(job_id, "inProgress")
    await rig.engine.store.cancel(job_id, 0)
    assert (await rig.wait_until_ended(job_id))["state"] == "canceled"


async def test_job_that_succeeds_after_the_cancel_request_is_canceled_without_result(
    rig: Rig,
) -> None:
    job_id = await rig.schedule("hold_despite_cancel")
    await gate.reached.wait()
    await rig.cancel(job_id)
    await rig.wait_until(lambda: calls == ["canceled"])
    gate.opened.set()
    job = await rig.wait_until_ended(job_id)
    assert (job["state"], job.get("result")) == ("canceled", None)


async def test_mutation_that_ends_after_the_cancel_request_is_canceled_at_once(rig: Rig) -> None:
    job_id = await rig.schedule("hold_in_mutation")
    await gate.reached.wait()
    await rig.engine.store.cancel(job_id, 0)
    gate.opened.set()
    job = await rig.wait_until_ended(job_id, within=30)
    assert job["state"] == "canceled"
    assert await rig.all("effects") == []


async def test_second_cancel_request_changes_nothing(rig: Rig) -> None:
    job_id = await rig.schedule("hold_despite_cancel")
    await gate.reached.wait()
    first, second = await rig.cancel(job_id), await rig.cancel(job_id)
    assert first.version == second.version
    gate.opened.set()
    await rig.wait_until_ended(job_id)


@pytest.mark.parametrize("name", ["echo", "end_abnormally"])
async def test_ended_job_cannot_be_canceled(rig: Rig, name: str) -> None:
    job = await rig.run(name, **({"behavior": "not json"} if name == "end_abnormally" else {}))
    with pytest.raises(PreconditionFailed, match=job["state"]):
        await rig.cancel(job["_id"])
    assert await rig.job(job["_id"]) == job


@pytest.mark.parametrize("directly", [True, False])
async def test_jobs_scheduled_by_a_canceled_action_are_created_canceled(
    rig: Rig, directly: bool
) -> None:
    job_id = await rig.schedule("schedule_when_canceled", directly=directly)
    await gate.reached.wait()
    await rig.cancel(job_id)
    assert (await rig.wait_until_ended(job_id))["state"] == "canceled"
    (late,) = await rig.find_jobs("echo")
    assert (state_changes(late), "purgeAt" in late) == ([(None, "canceled")], True)


@pytest.mark.parametrize(("directly", "number"), [(True, 1), (False, 1), (False, 0)])
@pytest.mark.parametrize(
    "taken_over", [{"attempt": 2}, {"state": "pending"}, {"state": "canceled"}]
)
async def test_action_whose_job_was_taken_over_cannot_schedule_or_commit(
    rig: Rig, taken_over: Document, directly: bool, number: int
) -> None:
    job_id = await rig.schedule("schedule_when_canceled", directly=directly, number=number)
    await gate.reached.wait()
    far = {"scheduledTime": datetime(2100, 1, 1, tzinfo=UTC)}
    await rig.engine.mongo["jobs"].update_one({"_id": job_id}, {"$set": {**far, **taken_over}})
    gate.opened.set()
    await rig.wait_until(lambda: calls == ["AttemptLost"])
    assert await rig.find_jobs("echo") == []
    job = await rig.job(job_id)
    assert {name: job[name] for name in taken_over} == taken_over


async def test_canceled_job_can_be_retried_and_schedule(rig: Rig) -> None:
    job_id = await rig.schedule("schedule_when_canceled", directly=True)
    await gate.reached.wait()
    await rig.cancel(job_id)
    await rig.wait_until_ended(job_id)
    gate.opened.set()
    await rig.engine.changes.retry(job_id)
    assert (await rig.wait_until_ended(job_id))["state"] == "success"
    assert sorted(job["state"] for job in await rig.find_jobs("echo"))[0] == "canceled"
    await rig.wait_until(lambda: rig.has_jobs("echo", "success"))


async def test_cancel_never_misses_a_job_that_goes_back_to_pending(rig: Rig) -> None:
    ids = await asyncio.gather(*(rig.schedule("fail_twice") for _ in range(30)))
    await asyncio.gather(*map(rig.cancel, ids))
    jobs = [await rig.wait_until_ended(job_id) for job_id in ids]
    assert {job["state"] for job in jobs} == {"canceled"}


async def test_job_restarted_between_the_two_cancel_guards_is_still_canceled(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    job_id = await rig.schedule("echo")
    await rig.claim(job_id)
    back = Outcome(job_id=job_id, attempt=1, transition=TransitionName.HAND_BACK, retention_ms=9)
    interleaved: list[Coroutine[Any, Any, Any]] = [rig.complete(back), rig.claim(job_id)]
    update = (jobs := rig.engine.store._jobs).find_one_and_update

    async def interrupted_update(*args: Any, **options: Any) -> Any:
        found = await update(*args, **options)
        if interleaved:
            await interleaved.pop(0)
        return found

    monkeypatch.setattr(jobs, "find_one_and_update", interrupted_update)
    assert (await rig.cancel(job_id)).cancel_requested_at is not None


async def test_job_canceled_in_the_queue_does_not_start(
    rig: Rig, redis_admin: Redis, queue: str
) -> None:
    ids = await asyncio.gather(*(rig.schedule("wait_forever") for _ in range(100)))
    await rig.wait_until(lambda: rig.has_jobs("wait_forever", "inProgress", at_least=100))
    waiting = await asyncio.gather(*(rig.schedule("echo") for _ in range(20)))
    await rig.wait_until(lambda: redis_admin.zcard(queue) != 0)
    await asyncio.gather(*map(rig.cancel, waiting))
    await asyncio.gather(*map(rig.cancel, ids))
    await rig.wait_until(lambda: redis_admin.zcard(queue) == 0)
    assert (await rig.run("echo"))["state"] == "success"
    canceled_before_start = [(None, "pending"), ("pending", "canceled")]
    assert [state_changes(await rig.job(job_id)) for job_id in waiting] == [
        canceled_before_start
    ] * 20


@pytest.mark.parametrize(
    ("stop_reason", "state"), [(StopReason.CANCELED, "canceled"), (StopReason.SHUTDOWN, "pending")]
)
async def test_attempt_stopped_before_its_first_step_still_writes_its_outcome(
    rig_without_worker: Rig, stop_reason: StopReason, state: str
) -> None:
    job_id = await rig_without_worker.schedule("fail_with", message="never")
    async with WorkerRuntime.open(rig_without_worker.engine.settings) as worker:
        (claimed,) = await rig_without_worker.claim(job_id, worker.id)
        worker.executor._start(Attempt(claimed, 9), SLOT)
        worker.executor.attempts[job_id].cancel(stop_reason)
        await worker.executor.attempts[job_id].task
    assert (await rig_without_worker.job(job_id))["state"] == state


@pytest.mark.parametrize("name", ["cancel_by_id", "cancel_by_id_in_mutation"])
async def test_mongodb_operator_as_a_job_id_cancels_nothing(
    rig: Rig, name: str, subtests: pytest.Subtests
) -> None:
    for invalid_id in ({"$ne": None}, {"$gt": ""}, {"$regex": "."}, ["id"], 7, None):
        with subtests.test(job_id=invalid_id):
            targets = [await schedule_for(rig, owner) for owner in ("alice", "bob")]
            job = await rig.run(name, job_id=invalid_id)
            assert (job["state"], job["error"]["name"]) == ("failed", "BadRequest")
            assert "a job's id must be a string" in job["error"]["message"]
            assert [(await rig.job(target))["state"] for target in targets] == ["pending"] * 2


@pytest.mark.parametrize("name", ["cancel_by_id", "cancel_by_id_in_mutation"])
async def test_function_cancels_only_jobs_of_its_owner(rig: Rig, name: str) -> None:
    own, bobs, systems = [await schedule_for(rig, owner) for owner in ("alice", "bob", None)]
    job_ids = [own, bobs, systems, "0" * 24, ""]
    answers = [(await rig.run(name, job_id=job_id))["result"] for job_id in job_ids]
    assert answers == [True, False, False, False, False]
    states = [(await rig.job(job_id))["state"] for job_id in (own, bobs, systems)]
    assert states == ["canceled", "pending", "pending"]


@pytest.mark.parametrize("name", ["cancel_by_id", "cancel_by_id_in_mutation"])
async def test_function_without_an_owner_cancels_any_job(rig: Rig, name: str) -> None:
    target = await schedule_for(rig, "bob")
    new_job = replace(await rig.build_job(name, {"job_id": target}), owner=None)
    assert (await rig.wait_until_ended((await rig.engine.schedule(new_job)).id))["result"] is True
    assert (await rig.job(target))["state"] == "canceled"


async def schedule_for(rig: Rig, owner: str | None) -> str:
    """Schedule a job of that owner that is due in an hour."""
    new_job = replace(await rig.build_job("echo"), owner=owner)
    return await rig.schedule_at(new_job, await rig.engine.now() + timedelta(hours=1))
