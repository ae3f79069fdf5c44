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

WITHIN = 30.0
GHOSTS = ["ghost-1", "ghost-2"]


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_mutation_takes_effect_once_if_its_worker_is_killed_during_commit(
    rig_without_worker: Rig, processes: Processes, when: str
) -> None:
    workers = await start_workers(rig_without_worker, processes, 2)
    job = await rig_without_worker.wait_until_ended(
        await rig_without_worker.schedule("die", when=when, name="x"), within=WITHIN
    )
    killed = -signal.SIGKILL
    await rig_without_worker.wait_until(
        lambda: [worker.exit_code for worker in workers].count(killed) == 1
    )
    assert (job["state"], job["attempt"]) == ("success", 1 if when == "after" else 2)
    assert [effect["name"] for effect in await rig_without_worker.all("effects")] == ["x"]
    assert [one["state"] for one in await rig_without_worker.find_jobs("echo")] == ["pending"]


async def test_locks_of_a_killed_transaction_are_released_within_seconds(
    rig_without_worker: Rig, processes: Processes, mongo_admin: MongoClient[Any], tmp_path: Path
) -> None:
    limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 60}
    before = mongo_admin.admin.command(limit)["was"]
    try:
        (worker,) = await start_workers(rig_without_worker, processes, mutation_timeout_ms=60_000)
        job_id = await rig_without_worker.schedule(
            "wait_in_mutation", name=str(tmp_path / "reached")
        )
        await rig_without_worker.wait_until((tmp_path / "reached").exists)
        worker.popen.kill()
        await start_workers(rig_without_worker, processes)
        job = await rig_without_worker.wait_until_ended(job_id, within=WITHIN)
    finally:
        mongo_admin.admin.command({**limit, "transactionLifetimeLimitSeconds": before})
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["times"] for effect in await rig_without_worker.all("effects")] == [1]


async def test_fifty_running_jobs_of_a_killed_worker_are_reclaimed_and_end(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    ids = [await rig_without_worker.schedule("wait_for_ever_once") for _ in range(50)]
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.has_jobs("wait_for_ever_once", "inProgress", 50)
    )
    worker.popen.kill()
    async with run_worker(fast_settings):
        jobs = [await rig_without_worker.wait_until_ended(job_id, within=WITHIN) for job_id in ids]
    assert {(job["state"], job["error"]["name"]) for job in jobs} == {("failed", "WorkerLost")}
    assert {failure["_id"] for failure in await rig_without_worker.all("failures")} == set(ids)


async def test_result_of_a_frozen_worker_is_rejected_and_it_gets_a_new_id(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings, tmp_path: Path
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    (before,), log = await rig_without_worker.all("workers"), worker.log or tmp_path
    job_id = await rig_without_worker.schedule("freeze", name=str(tmp_path / "pid"))
    await rig_without_worker.wait_until((tmp_path / "pid").exists)
    async with run_worker(fast_settings):
        job = await rig_without_worker.wait_until_ended(job_id, within=WITHIN)
        os.kill(worker.popen.pid, signal.SIGCONT)
        await rig_without_worker.wait_until(lambda: "worker.lease_lost" in log.read_text())
    await rig_without_worker.wait_until(lambda: log.read_text().count("worker.started") == 2)
    assert job["error"]["name"] == "WorkerLost"
    assert (await rig_without_worker.run("echo"))["timeline"][1]["worker"] != before["_id"]
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
    """Lock a job in a transaction that a worker has left open."""
    settings = rig.engine.settings
    url, name = settings.mongo_url, worker_app_name(worker_id)
    client = AsyncMongoClient[Document](url, appname=name)
    async with client as mongo, mongo.start_session() as session:
        await session.start_transaction()
        jobs = mongo[settings.database]["jobs"]
        await jobs.update_one({"_id": job_id}, {"$set": {"touched": 1}}, session=session)
        yield


def lost_workers(rig: Rig, heartbeats: HeartbeatHistory | None = None) -> WorkerRescuer:
    workers = WorkerStore(rig.engine.mongo)
    return WorkerRescuer(rig.engine, workers, "leader", heartbeats or HeartbeatHistory(gap_s=1.0))


@pytest.mark.parametrize("name", ["die_always", "wait_for_ever"])
async def test_job_fails_after_losing_three_workers(rig_without_worker: Rig, name: str) -> None:
    job_id = await rig_without_worker.schedule(name)
    lost = lost_workers(rig_without_worker)
    starts = 3 if name == "die_always" else 2
    for number in range(starts):
        assert len(await rig_without_worker.claim(job_id, f"ghost-{number}")) == 1
        assert await lost._rescue_from(f"ghost-{number}") == 1
    job = await rig_without_worker.job(job_id)
    assert (job["state"], job["error"]["name"]) == ("failed", "WorkerLost")
    assert state_changes(job).count(("inProgress", "pending")) == starts - 1


async def test_more_jobs_than_one_query_returns_are_all_reclaimed(rig_without_worker: Rig) -> None:
    ids = await asyncio.gather(
        *(rig_without_worker.schedule("wait_for_ever") for _ in range(1_100))
    )
    await rig_without_worker.engine.store.claim(ids, "ghost", "token", 0)
    lost = lost_workers(rig_without_worker)
    assert await lost._rescue_from("ghost") == 1_100
    assert await rig_without_worker.has_jobs("wait_for_ever", "pending", at_least=1_100)


async def test_jobs_of_a_removed_worker_are_reclaimed_at_once(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("wait_for_ever")
    await rig_without_worker.claim(job_id, "ghost")
    # Whoever deposed it may have died before it had taken its jobs.
    assert await lost_workers(rig_without_worker).rescue() == 1
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
    job_id = await rig_without_worker.schedule("wait_for_ever")
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


def heartbeats_at(
    answers: Sequence[float], now: float, ahead_s: Sequence[float]
) -> HeartbeatHistory:
    """Build the history of heartbeats at these times, with the server's clock so far ahead."""
    clock = iter([*answers, now])
    heartbeats = HeartbeatHistory(gap_s=1.0, now=lambda: next(clock))
    for at, ahead in zip(answers, ahead_s, strict=True):
        heartbeats.record(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=at + ahead))
    return heartbeats


async def add_silent_worker(rig: Rig, worker_id: str) -> None:
    """Register a worker whose last heartbeat is a minute old, and which holds a job."""
    mongo, long_ago = rig.engine.mongo, datetime.now(UTC) - timedelta(minutes=1)
    await WorkerStore(mongo).register(worker_id, {"concurrency": 1, "queues": ["default"]})
    await rig.claim(await rig.schedule("wait_for_ever"), worker_id)
    await mongo["workers"].update_one({"_id": worker_id}, {"$set": {"heardAt": long_ago}})


@pytest.mark.parametrize(
    ("answers", "ahead_s", "now", "lost"),
    [
        pytest.param([1, 2, 3, 4], [0, 0, 0, 0], 4.5, 1, id="answered all the time"),
        pytest.param([1, 4], [0, 0], 4.5, 0, id="answered again since just now"),
        pytest.param([1, 2, 3, 4], [0, 0, 0, 0], 8.0, 0, id="not answered of late"),
        pytest.param([4], [0], 4.5, 0, id="new here"),
        pytest.param([1, 2, 3, 4], [0, 0, 0, 60], 4.5, 0, id="the server's clock has jumped"),
        pytest.param([1, 2, 3, 4], [60, 0, 0, 0], 4.5, 1, id="it jumped, a while ago"),
    ],
)
async def test_gap_in_own_heartbeats_suspends_declaring_workers_lost(
    rig_without_worker: Rig, answers: list[float], ahead_s: list[float], now: float, lost: int
) -> None:
    await add_silent_worker(rig_without_worker, "ghost")
    assert (
        await lost_workers(rig_without_worker, heartbeats_at(answers, now, ahead_s)).rescue()
        == lost
    )


async def test_worker_whose_own_heartbeat_looks_stale_declares_no_worker_lost(
    rig_without_worker: Rig,
) -> None:
    for worker_id in ("ghost", "leader"):
        await add_silent_worker(rig_without_worker, worker_id)
    heartbeats = heartbeats_at([1, 2, 3, 4], 4.5, [0, 0, 0, 0])
    assert await lost_workers(rig_without_worker, heartbeats).rescue() == 0


async def test_locked_job_does_not_delay_reclaiming_the_others(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sooner than MongoDB ends the transaction that holds the lock, which it does after 5 s.
    monkeypatch.setattr("ostinato.jobs.maintenance.rescuer.RESCUE_TIMEOUT_S", 1.0)
    jobs = [await rig_without_worker.schedule("hold_in_mutation") for _ in range(3)]
    for job_id in jobs:
        await rig_without_worker.claim(job_id, "ghost")
    async with locked_by(rig_without_worker, "somebody", jobs[1]), asyncio.timeout(WITHIN):
        assert await lost_workers(rig_without_worker).rescue() == 2
    states = [(await rig_without_worker.job(job_id))["state"] for job_id in jobs]
    assert states == ["pending", "inProgress", "pending"]


async def test_reclaiming_a_locked_job_times_out(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("hold_in_mutation")
    (job,) = await rig_without_worker.claim(job_id)
    outcome = Attempt(job, 0).outcome_of_lost_worker(FunctionKind.MUTATION, 1, "ghost")
    async with locked_by(rig_without_worker, "somebody", job_id), asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError, match="no commit within"):
            await OutcomeStore(rig_without_worker.engine.mongo, timeout_s=0.3).write([outcome], 0)
    assert (await rig_without_worker.job(job_id))["state"] == "inProgress"


async def test_jobs_that_dead_workers_locked_mutually_are_reclaimed_at_once(
    rig_without_worker: Rig,
) -> None:
    lost = lost_workers(rig_without_worker)
    jobs = [await rig_without_worker.schedule("hold_in_mutation") for _ in GHOSTS]
    for ghost, job_id in zip(GHOSTS, jobs, strict=True):
        await rig_without_worker.claim(job_id, ghost)
    async with AsyncExitStack() as locks:
        for ghost, job_id in zip(GHOSTS, reversed(jobs), strict=True):
            await locks.enter_async_context(locked_by(rig_without_worker, ghost, job_id))
        async with asyncio.timeout(WITHIN):
            await rig_without_worker.wait_until(lost.rescue)
    assert await rig_without_worker.has_jobs("hold_in_mutation", "pending", at_least=len(GHOSTS))
