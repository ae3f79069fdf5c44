"""Workers that are killed, frozen or told to go: real processes, real signals."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from jobs.mongo.workers import WorkerStore
from jobs.settings import Settings
from jobs.worker.lost_workers import LostWorkers
from tests.engine.rig import Rig, moves_of, working
from tests.processes import Processes

WITHIN = 15.0
LEASE_AND_GRACE_S = 3.0


async def started(rig: Rig, processes: Processes, number: int = 1, **changes: Any) -> list[Any]:
    """Start workers like those of `hasty` and return them once they have registered."""
    settings = rig.engine.settings
    hasty = {name: getattr(settings, name) for name in ("functions", "heartbeat_ms", "lease_ms")}
    before = len(await rig.all("workers"))
    given = {**hasty, "sweep_ms": 200, "drain_timeout_ms": 300, **changes}
    workers = [processes.worker(**given) for _ in range(number)]

    async def registered() -> bool:
        return len(await rig.all("workers")) >= before + number

    await rig.until(registered, within=WITHIN)
    return workers


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_a_mutation_whose_worker_is_killed_around_its_commit_has_one_effect(
    idle: Rig, processes: Processes, when: str
) -> None:
    workers = await started(idle, processes, 2)
    job = await idle.ended(await idle.schedule("die", when=when, name="x"), within=WITHIN)
    assert [worker.exit_code for worker in workers].count(-signal.SIGKILL) == 1
    assert (job["state"], job["attempt"]) == ("success", 1 if when == "after" else 2)
    assert [effect["name"] for effect in await idle.all("effects")] == ["x"]
    assert [one["state"] for one in await idle.jobs_of("echo")] == ["pending"]


async def test_what_a_killed_transaction_locked_is_free_within_seconds(
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


async def test_fifty_running_jobs_of_a_killed_worker_end(
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


async def test_a_frozen_worker_s_result_is_refused_and_it_goes_on_under_another_name(
    idle: Rig, processes: Processes, hasty: Settings, tmp_path: Path
) -> None:
    (worker,) = await started(idle, processes)
    (before,) = await idle.all("workers")
    job_id = await idle.schedule("freeze", name=str(tmp_path / "pid"))
    await idle.until((tmp_path / "pid").exists)
    async with working(hasty):
        job = await idle.ended(job_id, within=WITHIN)
        os.kill(worker.popen.pid, signal.SIGCONT)
        await idle.until(lambda: "worker.deposed" in worker.log.read_text())
    await idle.until(lambda: worker.log.read_text().count("worker.started") == 2)
    assert job["error"]["name"] == "WorkerLost"
    assert (await idle.run("echo"))["timeline"][1]["worker"] != before["_id"]
    assert await idle.job(job_id) == job


@pytest.mark.parametrize(
    ("name", "state"), [("wait_for_ever", "pending"), ("wait_for_ever_once", "failed")]
)
async def test_a_worker_told_to_go_gives_its_jobs_back_at_once(
    idle: Rig, processes: Processes, name: str, state: str
) -> None:
    (worker,) = await started(idle, processes)
    for _ in range(20):
        await idle.schedule(name)
    await idle.until(lambda: idle.count_of(name, "inProgress", 20))
    worker.popen.terminate()
    assert await asyncio.wait_for(worker.wait(), 3) == 0
    assert [job["state"] for job in await idle.jobs_of(name)] == [state] * 20
    assert await idle.all("workers") == []


async def test_a_draining_worker_finishes_its_job_however_long_the_lease(
    idle: Rig, processes: Processes, hasty: Settings, tmp_path: Path
) -> None:
    (worker,) = await started(idle, processes, drain_timeout_ms=20_000)
    job_id = await idle.schedule("wait_for_file", name=str(tmp_path / "go"))
    await idle.reaches(job_id, "inProgress")
    worker.popen.terminate()
    async with working(hasty):
        later = time.monotonic() + LEASE_AND_GRACE_S + 1
        await idle.until(lambda: time.monotonic() > later)
        (tmp_path / "go").touch()
        job = await idle.ended(job_id)
    assert (job["state"], job["attempt"], job["result"]) == ("success", 1, "found")
    assert await asyncio.wait_for(worker.wait(), 3) == 0


async def test_a_draining_worker_still_hears_who_is_canceled(
    idle: Rig, processes: Processes
) -> None:
    (worker,) = await started(idle, processes, drain_timeout_ms=20_000)
    job_id = await idle.schedule("wait_for_ever")
    await idle.reaches(job_id, "inProgress")
    worker.popen.terminate()
    await idle.cancel(job_id)
    assert (await idle.ended(job_id, within=2))["state"] == "canceled"
    assert await asyncio.wait_for(worker.wait(), 3) == 0


async def test_jobs_that_come_while_a_worker_goes_are_not_lost_nor_begun_for_nothing(
    idle: Rig, processes: Processes
) -> None:
    (worker,) = await started(idle, processes)
    ids = await asyncio.gather(*(idle.schedule("echo") for _ in range(200)))
    worker.popen.terminate()
    more = await asyncio.gather(*(idle.schedule("echo") for _ in range(200)))
    assert await asyncio.wait_for(worker.wait(), 3) == 0
    jobs = [await idle.job(job_id) for job_id in [*ids, *more]]
    assert {job["state"] for job in jobs} <= {"pending", "success"}


async def test_another_worker_dispatches_when_the_leader_is_killed(
    idle: Rig, processes: Processes
) -> None:
    leader, _ = await started(idle, processes) + await started(idle, processes)
    await idle.until(lambda: idle.all("leaders"))
    leader.popen.kill()
    job_id = await idle.schedule("echo")
    assert (await idle.ended(job_id, within=5))["state"] == "success"


@pytest.mark.parametrize("name", ["die_always", "wait_for_ever"])
async def test_a_job_that_takes_three_workers_down_fails(idle: Rig, name: str) -> None:
    job_id = await idle.schedule(name)
    lost = LostWorkers(idle.engine, WorkerStore(idle.engine.mongo))
    starts = 3 if name == "die_always" else 2
    for number in range(starts):
        assert len(await idle.claim(job_id, f"ghost-{number}")) == 1
        assert await lost._take_from(f"ghost-{number}") == 1
    job = await idle.job(job_id)
    assert (job["state"], job["error"]["name"]) == ("failed", "WorkerLost")
    assert moves_of(job).count(("inProgress", "pending")) == starts - 1


async def test_more_jobs_than_one_look_takes_are_all_reclaimed(idle: Rig) -> None:
    ids = await asyncio.gather(*(idle.schedule("wait_for_ever") for _ in range(1_100)))
    await idle.engine.store.claim(ids, "ghost", "token", 0)
    lost = LostWorkers(idle.engine, WorkerStore(idle.engine.mongo))
    assert await lost._take_from("ghost") == 1_100
    assert await idle.count_of("wait_for_ever", "pending", at_least=1_100)
