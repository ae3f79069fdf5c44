"""A worker compares its running attempts with its claims in MongoDB and repairs differences."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bson import Decimal128

from ostinato.jobs.lanes import Lane
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo.claimed_jobs import ClaimedJob, MalformedJob
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.worker import reconciler
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.running_attempt import StopReason
from ostinato.jobs.worker.slots import JobOwner
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.engine.functions import gate
from tests.engine.rig import SLOT, Rig, chunk_of

MANY = 20


@pytest.fixture
async def worker(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkerRuntime]:
    """Return a worker without background tasks, whose reconciler has no grace period."""
    monkeypatch.setattr(reconciler, "GRACE_S", 0.0)
    async with WorkerRuntime.open(rig_without_worker.engine.settings) as worker:
        yield worker


async def claim_many(rig: Rig, worker: WorkerRuntime, name: str) -> list[Attempt]:
    ids = await asyncio.gather(*(rig.schedule(name) for _ in range(MANY)))
    return [Attempt(job, 9) for job in await rig.claim_all(ids, worker.id)]


async def test_orphaned_claims_are_released_in_one_write(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    orphaned_claims = await claim_many(rig_without_worker, worker, "echo")
    await worker._reconciler.reconcile()
    jobs = [await rig_without_worker.job(attempt.job_id) for attempt in orphaned_claims]
    assert {(job["state"], job["maxAttempts"]) for job in jobs} == {("pending", 2)}
    assert len({job["timeline"][-1]["at"] for job in jobs}) == 1


async def test_canceled_orphaned_claim_is_retained_like_any_canceled_job(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    orphaned_claims = await claim_many(rig_without_worker, worker, "echo")
    await rig_without_worker.cancel(orphaned_claims[0].job_id)
    await worker._reconciler.reconcile()
    job = await rig_without_worker.job(orphaned_claims[0].job_id)
    assert job["state"] == "canceled"
    assert job["purgeAt"] - job["completedAt"] == timedelta(days=7)


async def test_claim_in_flight_is_not_released(
    rig_without_worker: Rig, worker: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, find_claimed = asyncio.Event(), JobStore._find_claimed

    async def delayed_find_claimed(*args: Any) -> list[ClaimedJob | MalformedJob]:
        await answered.wait()
        return await find_claimed(*args)

    monkeypatch.setattr(JobStore, "_find_claimed", delayed_find_claimed)
    job_id = await rig_without_worker.schedule("echo")
    chunk = asyncio.create_task(worker.executor.take_chunk(chunk_of(job_id)))
    await rig_without_worker.wait_for_state(job_id, "inProgress")
    await worker._reconciler.reconcile()
    answered.set()
    await chunk
    assert (await rig_without_worker.wait_until_ended(job_id))["attempt"] == 1


async def test_returned_attempt_is_not_stopped_while_its_outcome_is_written(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    attempt = (await claim_many(rig_without_worker, worker, "hold"))[0]
    worker.executor._start(attempt, SLOT)
    await gate.reached.wait()
    running = worker.executor.attempts[attempt.job_id]
    running.outcome = attempt.outcome_of_stop()
    await rig_without_worker.cancel(attempt.job_id)
    await worker._reconciler.reconcile()
    assert running.stop_reason is None
    running.outcome = None
    await worker._reconciler.reconcile()
    assert running.stop_reason is StopReason.CANCELED


async def test_attempt_with_an_unhashable_number_does_not_hide_orphaned_claims(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    odd, *orphaned_claims = await claim_many(rig_without_worker, worker, "hold")
    where = {"_id": odd.job_id}
    await rig_without_worker.engine.mongo["jobs"].update_one(
        where, {"$set": {"attempt": Decimal128("1")}}
    )
    worker.executor._start(odd, SLOT)
    await gate.reached.wait()
    await worker._reconciler.reconcile()
    jobs = [await rig_without_worker.job(attempt.job_id) for attempt in orphaned_claims]
    assert {job["state"] for job in jobs} == {"pending"}


async def test_job_handed_back_during_reconciliation_stays_pending(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    rig = rig_without_worker
    orphaned_claims = await claim_many(rig, worker, "echo")
    handed_back = await claim_many(rig, worker, "hold")
    for attempt in handed_back:
        worker.executor._start(attempt, SLOT)
    await rig.wait_until(lambda: gate.visits == MANY)
    for attempt in handed_back:
        await rig.complete(handing_back(attempt))
    gate.opened.set()
    await worker._reconciler.reconcile()
    states = [(await rig.job(attempt.job_id))["state"] for attempt in orphaned_claims + handed_back]
    assert set(states) == {"pending"}


def handing_back(attempt: Attempt) -> Outcome:
    return Outcome(
        job_id=attempt.job_id, attempt=1, transition=TransitionName.HAND_BACK, retention_ms=0
    )


async def test_started_attempt_with_unknown_outcome_is_not_restarted(
    rig_without_worker: Rig, worker: WorkerRuntime
) -> None:
    job_id = await rig_without_worker.schedule("hold")
    (claimed,) = await rig_without_worker.claim(job_id, worker.id)
    worker.executor._start(Attempt(claimed, 9), SLOT)
    await gate.reached.wait()
    worker.executor.attempts[job_id].cancel(StopReason.LEASE_LOST)
    await rig_without_worker.wait_until(lambda: not worker.executor.attempts)
    await worker._reconciler.reconcile()
    job = await rig_without_worker.job(job_id)
    assert (job["state"], job["attempt"], gate.visits) == ("failed", 1, 1)
    assert job["error"]["name"] == "OutcomeLost"


async def test_worker_closed_without_drain_stops_its_running_jobs(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("hold")
    async with WorkerRuntime.open(rig_without_worker.engine.settings) as worker:
        (claimed,) = await rig_without_worker.claim(job_id, worker.id)
        worker.executor._start(Attempt(claimed, 9), SLOT)
        await gate.reached.wait()
    assert not worker.executor.attempts
    assert (await rig_without_worker.job(job_id))["error"]["name"] == "WorkerStopped"


async def test_claim_cancelled_before_it_begins_releases_its_slots(
    worker: WorkerRuntime,
) -> None:
    slots, lane = worker.executor.slots, Lane()
    jobs = [JobOwner(str(number), "") for number in range(3)]
    acquired = await slots.acquire(lane, jobs, maximum=3)
    claim = worker.executor._claimer.start_claim(acquired, lane)
    claim.cancel()
    await asyncio.gather(claim, return_exceptions=True)
    assert slots.taken == 0
