"""A draining worker finishes its started jobs where it can, and releases the rest at once."""

import asyncio
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from ostinato.jobs.settings import Settings
from tests.engine.rig import Rig, run_worker, start_workers, state_changes
from tests.processes import Processes

LEASE_AND_GRACE_S = 3.0


@pytest.mark.parametrize(
    ("name", "state"), [("wait_forever", "pending"), ("wait_forever_once", "failed")]
)
async def test_stopping_worker_returns_its_jobs_at_once(
    rig_without_worker: Rig, processes: Processes, name: str, state: str
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    for _ in range(20):
        await rig_without_worker.schedule(name)
    await rig_without_worker.wait_until(lambda: rig_without_worker.has_jobs(name, "inProgress", 20))
    worker.popen.terminate()
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    assert [job["state"] for job in await rig_without_worker.find_jobs(name)] == [state] * 20
    assert await rig_without_worker.all("workers") == []


async def test_mutation_interrupted_by_the_drain_deadline_is_rolled_back_and_pending(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings, tmp_path: Path
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes, mutation_timeout_ms=60_000)
    job_id = await rig_without_worker.schedule("wait_in_mutation", name=str(tmp_path / "reached"))
    await rig_without_worker.wait_until((tmp_path / "reached").exists)
    worker.popen.terminate()
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    handed_back = await rig_without_worker.job(job_id)
    assert state_changes(handed_back)[1:] == [("pending", "inProgress"), ("inProgress", "pending")]
    assert await rig_without_worker.all("effects") == []
    async with run_worker(fast_settings):
        job = await rig_without_worker.wait_until_ended(job_id)
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["times"] for effect in await rig_without_worker.all("effects")] == [1]


async def test_mutation_interrupted_in_its_hundredth_attempt_fails_without_writes(
    rig_without_worker: Rig, processes: Processes, tmp_path: Path
) -> None:
    job_id = await rig_without_worker.schedule("wait_in_mutation", name=str(tmp_path / "reached"))
    await rig_without_worker.engine.mongo["jobs"].update_one(
        {"_id": job_id}, {"$set": {"attempt": 99}}
    )
    (worker,) = await start_workers(rig_without_worker, processes, mutation_timeout_ms=60_000)
    await rig_without_worker.wait_until((tmp_path / "reached").exists)
    worker.popen.terminate()
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    job = await rig_without_worker.job(job_id)
    assert (job["state"], job["attempt"], job["error"]["name"]) == ("failed", 100, "WorkerStopped")
    assert await rig_without_worker.all("effects") == []


async def test_draining_worker_finishes_its_job_beyond_its_lease(
    rig_without_worker: Rig, processes: Processes, fast_settings: Settings, tmp_path: Path
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes, drain_timeout_ms=20_000)
    job_id = await rig_without_worker.schedule("wait_for_file", name=str(tmp_path / "go"))
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.all("jobs", _id=job_id, progress={"$ne": None})
    )
    worker.popen.terminate()
    async with run_worker(fast_settings):
        later = time.monotonic() + LEASE_AND_GRACE_S + 1
        await rig_without_worker.wait_until(lambda: time.monotonic() > later)
        (tmp_path / "go").touch()
        job = await rig_without_worker.wait_until_ended(job_id)
    assert (job["state"], job["attempt"], job["result"]) == ("success", 1, "found")
    assert await asyncio.wait_for(worker.wait(), 30) == 0


async def test_draining_worker_stops_a_job_that_is_canceled(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes, drain_timeout_ms=20_000)
    job_id = await rig_without_worker.schedule("wait_forever")
    await rig_without_worker.wait_for_state(job_id, "inProgress")
    worker.popen.terminate()
    await rig_without_worker.cancel(job_id)
    assert (await rig_without_worker.wait_until_ended(job_id, within=30))["state"] == "canceled"
    assert await asyncio.wait_for(worker.wait(), 30) == 0


async def test_stopping_worker_finishes_started_jobs_and_starts_no_more(
    rig_without_worker: Rig, processes: Processes, tmp_path: Path
) -> None:
    rig = rig_without_worker
    (worker,) = await start_workers(rig, processes, concurrency=5, drain_timeout_ms=30_000)
    ids = [await rig.schedule("wait_for_file", name=str(tmp_path / "go")) for _ in range(20)]
    await rig.wait_until(lambda: rig.has_jobs("wait_for_file", "inProgress", 5))
    worker.popen.terminate()
    await rig.wait_until(partial(has_resigned, rig))
    ids += [await rig.schedule("wait_for_file", name=str(tmp_path / "go")) for _ in range(20)]
    (tmp_path / "go").touch()
    assert await asyncio.wait_for(worker.wait(), 60) == 0
    jobs = [await rig.job(job_id) for job_id in ids]
    ends = Counter((job["state"], job["attempt"]) for job in jobs)
    assert ends == {("success", 1): 5, ("pending", 0): 35}


async def has_resigned(rig: Rig) -> bool:
    return await rig.all("leaders") == []
