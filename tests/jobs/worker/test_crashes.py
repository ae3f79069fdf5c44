"""Workers that are killed, frozen or terminated: real processes, real signals."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient

from ostinato.jobs.maintenance.rescuer import HeartbeatHistory, WorkerRescuer, grace_ms
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.sessions import worker_app_name
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.attempt import Attempt
from tests.engine.rig import Document, Rig, run_worker, start_workers, state_changes
from tests.processes import Processes

WITHIN_S = 30.0
DEAD_WORKERS = ["dead-1", "dead-2"]


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_mutation_takes_effect_once_if_its_worker_is_killed_during_commit(
    rig_without_worker: Rig, processes: Processes, when: str
) -> None:
    workers = await start_workers(rig_without_worker, processes, 2)
    job = await rig_without_worker.wait_until_ended(
        await rig_without_worker.schedule("kill_process", when=when, name="x"), within=WITHIN_S
    )
    killed = -signal.SIGKILL
    await rig_without_worker.wait_until(
        lambda: [worker.exit_code for worker in workers].count(killed) == 1
    )
    assert (job["state"], job["attempt"]) == ("success", 1 if when == "after" else 2)
    assert [effect["name"] for effect in await rig_without_worker.all("effects")] == ["x"]
    assert [child["state"] for child in await rig_without_worker.find_jobs("echo")] == ["pending"]


async def test_locks_of_a_killed_transaction_are_released_within_seconds(
    rig_without_worker: Rig, processes: Processes, mongo_admin: MongoClient[Any], tmp_path: Path
) -> None:
    limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 60}
    previous = mongo_admin.admin.command(limit)["was"]
    try:
        (worker,) = await start_workers(rig_without_worker, processes, mutation_timeout_ms=60_000)
        job_id = await rig_without_worker.schedule(
            "wait_in_mutation", name=str(tmp_path / "reached")
        )
        await rig_without_worker.wait_until((tmp_path / "reached").exists)
        worker.popen.kill()
        await start_workers(rig_without_worker, processes)
        job = await rig_without_worker.wait_until_ended(job_id, within=WITHIN_S)
    finally:
        mongo_admin.admin.command({**limit, "transactionLifetimeLimitSeconds": previous})
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["times"] for effect in await rig_without_worker.all("effects")] == [1]


async def test_fifty_running_jobs_of_a_killed_worker_are_rescued_and_end(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    ids = [await rig_without_worker.schedule("wait_forever_once") for _ in range(50)]
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.has_jobs("wait_forever_once", "inProgress", 50)
    )
    worker.popen.kill()
    async with run_worker(fast_settings):
        jobs = [
            await rig_without_worker.wait_until_ended(job_id, within=WITHIN_S) for job_id in ids
        ]
    assert {(job["state"], job["error"]["name"]) for job in jobs} == {("failed", "WorkerLost")}
    assert {failure["_id"] for failure in await rig_without_worker.all("failures")} == set(ids)


async def test_result_of_a_frozen_worker_is_rejected_and_it_gets_a_new_id(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings, tmp_path: Path
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    (previous,), log = await rig_without_worker.all("workers"), worker.log or tmp_path
    job_id = await rig_without_worker.schedule("freeze", name=str(tmp_path / "pid"))
    await rig_without_worker.wait_until((tmp_path / "pid").exists)
    async with run_worker(fast_settings):
        job = await rig_without_worker.wait_until_ended(job_id, within=WITHIN_S)
        os.kill(worker.popen.pid, signal.SIGCONT)
        await rig_without_worker.wait_until(lambda: "worker.lease_lost" in log.read_text())
    await rig_without_worker.wait_until(lambda: log.read_text().count("worker.started") == 2)
    assert job["error"]["name"] == "WorkerLost"
    assert (await rig_without_worker.run("echo"))["timeline"][1]["worker"] != previous["_id"]
    assert await rig_without_worker.job(job_id) == job


async def test_another_worker_dispatches_when_the_leader_is_killed(
    rig_without_worker: Rig, processes: Processes
) -> None:
    leader, _ = await start_workers(rig_without_worker, processes) + await start_workers(
        rig_without_worker, processes
    )
    await rig_without_worker.wait_until(lambda: rig_without_worker.all("leaders"))
    leader.popen.kill()
    job_id = await rig_without_worker.schedule("echo")
    assert (await rig_without_worker.wait_until_ended(job_id, within=30))["state"] == "success"


@asynccontextmanager
async def locked_by(rig: Rig, worker_id: str, job_id: str) -> AsyncIterator[None]:
    """Lock a job in a transaction of this worker that stays open."""
    settings = rig.engine.settings
    url, name = settings.mongo_url, worker_app_name(worker_id)
    client = AsyncMongoClient[Document](url, appname=name)
    async with client as mongo, mongo.start_session() as session:
        await session.start_transaction()
        jobs = mongo[settings.database]["jobs"]
        await jobs.update_one({"_id": job_id}, {"$set": {"touched": 1}}, session=session)
        yield


def build_rescuer(rig: Rig, heartbeats: HeartbeatHistory | None = None) -> WorkerRescuer:
    workers = WorkerStore(rig.engine.mongo)
    return WorkerRescuer(rig.engine, workers, "leader", heartbeats or HeartbeatHistory(gap_s=1.0))


@pytest.mark.parametrize("name", ["kill_process_always", "wait_forever"])
async def test_job_fails_after_losing_three_workers(rig_without_worker: Rig, name: str) -> None:
    job_id = await rig_without_worker.schedule(name)
    rescuer = build_rescuer(rig_without_worker)
    starts = 3 if name == "kill_process_always" else 2
    for number in range(starts):
        assert len(await rig_without_worker.claim(job_id, f"dead-{number}")) == 1
        assert await rescuer._rescue_from(f"dead-{number}") == 1
    job = await rig_without_worker.job(job_id)
    assert (job["state"], job["error"]["name"]) == ("failed", "WorkerLost")
    assert state_changes(job).count(("inProgress", "pending")) == starts - 1


async def test_lost_workers_are_counted_anew_after_a_manual_retry(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    job_id, rescuer = await rig.schedule("kill_process_always"), build_rescuer(rig)
    for number in range(6):
        assert len(await rig.claim(job_id, f"dead-{number}")) == 1
        assert await rescuer._rescue_from(f"dead-{number}") == 1
        job = await rig.job(job_id)
        assert job["state"] == ("failed" if number in (2, 5) else "pending")
        if number == 2:
            await rig.engine.changes.retry(job_id)


async def test_more_jobs_than_one_query_returns_are_all_rescued(rig_without_worker: Rig) -> None:
    ids = await asyncio.gather(*(rig_without_worker.schedule("wait_forever") for _ in range(1_100)))
    await rig_without_worker.engine.store.claim(ids, "dead", "token", 0)
    rescuer = build_rescuer(rig_without_worker)
    assert await rescuer._rescue_from("dead") == 1_100
    assert await rig_without_worker.has_jobs("wait_forever", "pending", at_least=1_100)


async def test_jobs_of_a_removed_worker_are_rescued_at_once(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("wait_forever")
    await rig_without_worker.claim(job_id, "dead")
    # The worker that removed it may have died before it rescued the jobs.
    assert await build_rescuer(rig_without_worker).rescue() == 1
    assert (await rig_without_worker.job(job_id))["state"] == "pending"


def test_default_settings_declare_a_worker_lost_after_9_5_s_without_a_heartbeat() -> None:
    settings = Settings()
    assert settings.lease_ms + grace_ms(settings) == 9_500
    assert settings.sweep_ms == 1_000


@pytest.mark.slow
async def test_job_of_a_killed_leader_starts_again_with_default_settings(
    rig_without_worker: Rig, processes: Processes
) -> None:
    first = processes.worker(functions=rig_without_worker.engine.settings.functions)
    job_id = await rig_without_worker.schedule("wait_forever")
    await rig_without_worker.wait_for_state(job_id, "inProgress")
    processes.worker(functions=rig_without_worker.engine.settings.functions)
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.all("workers", queues=["default"], running=0)
    )
    first.popen.kill()
    started_again = {"_id": job_id, "attempt": 2, "state": "inProgress"}
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.all("jobs", **started_again), within=60
    )
    assert state_changes(await rig_without_worker.job(job_id))[2] == ("inProgress", "pending")


def build_history(
    heartbeats_at_s: Sequence[float], now: float, ahead_s: Sequence[float]
) -> HeartbeatHistory:
    """Build a history of heartbeats; `ahead_s` is how far the server's clock is ahead."""
    clock = iter([*heartbeats_at_s, now])
    heartbeats = HeartbeatHistory(gap_s=1.0, now=lambda: next(clock))
    for at, ahead in zip(heartbeats_at_s, ahead_s, strict=True):
        heartbeats.record(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=at + ahead))
    return heartbeats


async def add_silent_worker(rig: Rig, worker_id: str) -> None:
    """Register a worker whose last heartbeat is a minute old, and which holds a job."""
    mongo, long_ago = rig.engine.mongo, datetime.now(UTC) - timedelta(minutes=1)
    await WorkerStore(mongo).register(worker_id, {"concurrency": 1, "queues": ["default"]})
    await rig.claim(await rig.schedule("wait_forever"), worker_id)
    await mongo["workers"].update_one({"_id": worker_id}, {"$set": {"heardAt": long_ago}})


@pytest.mark.parametrize(
    ("heartbeats_at_s", "ahead_s", "now", "lost"),
    [
        pytest.param([1, 2, 3, 4], [0, 0, 0, 0], 4.5, 1, id="heartbeats without a gap"),
        pytest.param([1, 4], [0, 0], 4.5, 0, id="gap that has just ended"),
        pytest.param([1, 2, 3, 4], [0, 0, 0, 0], 8.0, 0, id="no recent heartbeat"),
        pytest.param([4], [0], 4.5, 0, id="only one heartbeat"),
        pytest.param([1, 2, 3, 4], [0, 0, 0, 60], 4.5, 0, id="server clock has just jumped"),
        pytest.param([1, 2, 3, 4], [60, 0, 0, 0], 4.5, 1, id="server clock jumped earlier"),
    ],
)
async def test_gap_in_own_heartbeats_suspends_declaring_workers_lost(
    rig_without_worker: Rig,
    heartbeats_at_s: list[float],
    ahead_s: list[float],
    now: float,
    lost: int,
) -> None:
    await add_silent_worker(rig_without_worker, "dead")
    assert (
        await build_rescuer(
            rig_without_worker, build_history(heartbeats_at_s, now, ahead_s)
        ).rescue()
        == lost
    )


async def test_worker_whose_own_heartbeat_looks_stale_declares_no_worker_lost(
    rig_without_worker: Rig,
) -> None:
    for worker_id in ("dead", "leader"):
        await add_silent_worker(rig_without_worker, worker_id)
    heartbeats = build_history([1, 2, 3, 4], 4.5, [0, 0, 0, 0])
    assert await build_rescuer(rig_without_worker, heartbeats).rescue() == 0


async def test_locked_job_does_not_delay_rescuing_the_others(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shorter than the 5 s after which MongoDB aborts the transaction that holds the lock.
    monkeypatch.setattr("ostinato.jobs.maintenance.rescuer.RESCUE_TIMEOUT_S", 1.0)
    jobs = [await rig_without_worker.schedule("hold_in_mutation") for _ in range(3)]
    for job_id in jobs:
        await rig_without_worker.claim(job_id, "dead")
    async with locked_by(rig_without_worker, "live-worker", jobs[1]), asyncio.timeout(WITHIN_S):
        assert await build_rescuer(rig_without_worker).rescue() == 2
    states = [(await rig_without_worker.job(job_id))["state"] for job_id in jobs]
    assert states == ["pending", "inProgress", "pending"]


async def test_rescuing_a_locked_job_times_out(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("hold_in_mutation")
    (job,) = await rig_without_worker.claim(job_id)
    outcome = Attempt(job, 0).outcome_of_lost_worker(FunctionKind.MUTATION, 1, "dead")
    async with locked_by(rig_without_worker, "live-worker", job_id), asyncio.timeout(WITHIN_S):
        with pytest.raises(TimeoutError, match="no commit within"):
            await OutcomeStore(rig_without_worker.engine.mongo, timeout_s=0.3).write([outcome], 0)
    assert (await rig_without_worker.job(job_id))["state"] == "inProgress"


async def test_jobs_that_dead_workers_locked_mutually_are_rescued_at_once(
    rig_without_worker: Rig,
) -> None:
    rescuer = build_rescuer(rig_without_worker)
    jobs = [await rig_without_worker.schedule("hold_in_mutation") for _ in DEAD_WORKERS]
    for worker_id, job_id in zip(DEAD_WORKERS, jobs, strict=True):
        await rig_without_worker.claim(job_id, worker_id)
    async with AsyncExitStack() as locks:
        for worker_id, job_id in zip(DEAD_WORKERS, reversed(jobs), strict=True):
            await locks.enter_async_context(locked_by(rig_without_worker, worker_id, job_id))
        async with asyncio.timeout(WITHIN_S):
            await rig_without_worker.wait_until(rescuer.rescue)
    assert await rig_without_worker.has_jobs(
        "hold_in_mutation", "pending", at_least=len(DEAD_WORKERS)
    )
