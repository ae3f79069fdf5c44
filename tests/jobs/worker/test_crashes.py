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
from tests.engine.rig import Document, Rig, started, state_changes, working
from tests.processes import Processes

WITHIN = 30.0
GHOSTS = ["ghost-1", "ghost-2"]


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_mutation_takes_effect_once_if_its_worker_is_killed_during_commit(
    idle: Rig, processes: Processes, when: str
) -> None:
    workers = await started(idle, processes, 2)
    job = await idle.ended(await idle.schedule("die", when=when, name="x"), within=WITHIN)
    killed = -signal.SIGKILL
    await idle.until(lambda: [worker.exit_code for worker in workers].count(killed) == 1)
    assert (job["state"], job["attempt"]) == ("success", 1 if when == "after" else 2)
    assert [effect["name"] for effect in await idle.all("effects")] == ["x"]
    assert [one["state"] for one in await idle.jobs_of("echo")] == ["pending"]


async def test_locks_of_a_killed_transaction_are_released_within_seconds(
    idle: Rig, processes: Processes, mongo_admin: MongoClient[Any], tmp_path: Path
) -> None:
    limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 60}
    before = mongo_admin.admin.command(limit)["was"]
    try:
        (worker,) = await started(idle, processes, mutation_timeout_ms=60_000)
        job_id = await idle.schedule("wait_in_mutation", name=str(tmp_path / "reached"))
        await idle.until((tmp_path / "reached").exists)
        worker.popen.kill()
        await started(idle, processes)
        job = await idle.ended(job_id, within=WITHIN)
    finally:
        mongo_admin.admin.command({**limit, "transactionLifetimeLimitSeconds": before})
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["times"] for effect in await idle.all("effects")] == [1]


async def test_fifty_running_jobs_of_a_killed_worker_are_reclaimed_and_end(
    idle: Rig, processes: Processes, hasty: Settings
) -> None:
    (worker,) = await started(idle, processes)
    ids = [await idle.schedule("wait_for_ever_once") for _ in range(50)]
    await idle.until(lambda: idle.count_of("wait_for_ever_once", "inProgress", 50))
    worker.popen.kill()
    async with working(hasty):
        jobs = [await idle.ended(job_id, within=WITHIN) for job_id in ids]
    assert {(job["state"], job["error"]["name"]) for job in jobs} == {("failed", "WorkerLost")}
    assert {failure["_id"] for failure in await idle.all("failures")} == set(ids)


async def test_result_of_a_frozen_worker_is_rejected_and_it_gets_a_new_id(
    idle: Rig, processes: Processes, hasty: Settings, tmp_path: Path
) -> None:
    (worker,) = await started(idle, processes)
    (before,), log = await idle.all("workers"), worker.log or tmp_path
    job_id = await idle.schedule("freeze", name=str(tmp_path / "pid"))
    await idle.until((tmp_path / "pid").exists)
    async with working(hasty):
        job = await idle.ended(job_id, within=WITHIN)
        os.kill(worker.popen.pid, signal.SIGCONT)
        await idle.until(lambda: "worker.lease_lost" in log.read_text())
    await idle.until(lambda: log.read_text().count("worker.started") == 2)
    assert job["error"]["name"] == "WorkerLost"
    assert (await idle.run("echo"))["timeline"][1]["worker"] != before["_id"]
    assert await idle.job(job_id) == job


async def test_another_worker_dispatches_when_the_leader_is_killed(
    idle: Rig, processes: Processes
) -> None:
    leader, _ = await started(idle, processes) + await started(idle, processes)
    await idle.until(lambda: idle.all("leaders"))
    leader.popen.kill()
    job_id = await idle.schedule("echo")
    assert (await idle.ended(job_id, within=30))["state"] == "success"


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
async def test_job_fails_after_losing_three_workers(idle: Rig, name: str) -> None:
    job_id = await idle.schedule(name)
    lost = lost_workers(idle)
    starts = 3 if name == "die_always" else 2
    for number in range(starts):
        assert len(await idle.claim(job_id, f"ghost-{number}")) == 1
        assert await lost._rescue_from(f"ghost-{number}") == 1
    job = await idle.job(job_id)
    assert (job["state"], job["error"]["name"]) == ("failed", "WorkerLost")
    assert state_changes(job).count(("inProgress", "pending")) == starts - 1


async def test_more_jobs_than_one_query_returns_are_all_reclaimed(idle: Rig) -> None:
    ids = await asyncio.gather(*(idle.schedule("wait_for_ever") for _ in range(1_100)))
    await idle.engine.store.claim(ids, "ghost", "token", 0)
    lost = lost_workers(idle)
    assert await lost._rescue_from("ghost") == 1_100
    assert await idle.count_of("wait_for_ever", "pending", at_least=1_100)


async def test_jobs_of_a_removed_worker_are_reclaimed_at_once(idle: Rig) -> None:
    job_id = await idle.schedule("wait_for_ever")
    await idle.claim(job_id, "ghost")
    # Whoever deposed it may have died before it had taken its jobs.
    assert await lost_workers(idle).rescue() == 1
    assert (await idle.job(job_id))["state"] == "pending"


def test_default_settings_declare_a_worker_lost_after_9_5_s_without_a_heartbeat() -> None:
    settings = Settings()
    assert settings.lease_ms + grace_ms(settings) == 9_500
    assert settings.sweep_ms == 1_000


@pytest.mark.slow
async def test_job_of_a_killed_leader_starts_again_with_default_settings(
    idle: Rig, processes: Processes
) -> None:
    first = processes.worker(functions=idle.engine.settings.functions)
    job_id = await idle.schedule("wait_for_ever")
    await idle.reaches(job_id, "inProgress")
    processes.worker(functions=idle.engine.settings.functions)
    await idle.until(lambda: idle.all("workers", queues=["default"], running=0))
    first.popen.kill()
    started_again = {"_id": job_id, "attempt": 2, "state": "inProgress"}
    await idle.until(lambda: idle.all("jobs", **started_again), within=60)
    assert state_changes(await idle.job(job_id))[2] == ("inProgress", "pending")


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
    idle: Rig, answers: list[float], ahead_s: list[float], now: float, lost: int
) -> None:
    await add_silent_worker(idle, "ghost")
    assert await lost_workers(idle, heartbeats_at(answers, now, ahead_s)).rescue() == lost


async def test_worker_whose_own_heartbeat_looks_stale_declares_no_worker_lost(idle: Rig) -> None:
    for worker_id in ("ghost", "leader"):
        await add_silent_worker(idle, worker_id)
    heartbeats = heartbeats_at([1, 2, 3, 4], 4.5, [0, 0, 0, 0])
    assert await lost_workers(idle, heartbeats).rescue() == 0


async def test_locked_job_does_not_delay_reclaiming_the_others(
    idle: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sooner than MongoDB ends the transaction that holds the lock, which it does after 5 s.
    monkeypatch.setattr("ostinato.jobs.maintenance.rescuer.RESCUE_TIMEOUT_S", 1.0)
    jobs = [await idle.schedule("hold_in_mutation") for _ in range(3)]
    for job_id in jobs:
        await idle.claim(job_id, "ghost")
    async with locked_by(idle, "somebody", jobs[1]), asyncio.timeout(WITHIN):
        assert await lost_workers(idle).rescue() == 2
    states = [(await idle.job(job_id))["state"] for job_id in jobs]
    assert states == ["pending", "inProgress", "pending"]


async def test_reclaiming_a_locked_job_times_out(idle: Rig) -> None:
    job_id = await idle.schedule("hold_in_mutation")
    (job,) = await idle.claim(job_id)
    outcome = Attempt(job, 0).outcome_of_lost_worker(FunctionKind.MUTATION, 1, "ghost")
    async with locked_by(idle, "somebody", job_id), asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError, match="no commit within"):
            await OutcomeStore(idle.engine.mongo, timeout_s=0.3).write([outcome], 0)
    assert (await idle.job(job_id))["state"] == "inProgress"


async def test_jobs_that_dead_workers_locked_mutually_are_reclaimed_at_once(idle: Rig) -> None:
    lost = lost_workers(idle)
    jobs = [await idle.schedule("hold_in_mutation") for _ in GHOSTS]
    for ghost, job_id in zip(GHOSTS, jobs, strict=True):
        await idle.claim(job_id, ghost)
    async with AsyncExitStack() as locks:
        for ghost, job_id in zip(GHOSTS, reversed(jobs), strict=True):
            await locks.enter_async_context(locked_by(idle, ghost, job_id))
        async with asyncio.timeout(WITHIN):
            await idle.until(lost.rescue)
    assert await idle.count_of("hold_in_mutation", "pending", at_least=len(GHOSTS))
