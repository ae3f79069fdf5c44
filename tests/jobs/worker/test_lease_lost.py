"""Live workers without a heartbeat for longer than their lease lose their jobs to others."""

from pathlib import Path

import pytest

from ostinato.jobs.embedded.process import Child
from tests.engine.attempt_log import AttemptLog
from tests.engine.proxy import Proxy
from tests.engine.rig import Document, Rig, run_worker, start_workers, state_changes
from tests.processes import Processes

WITHIN_S = 30.0
DRAIN_MS = 40_000  # only dropped jobs stop earlier
TAKEN_OVER = [
    (None, "pending"),
    ("pending", "inProgress"),
    ("inProgress", "pending"),
    ("pending", "inProgress"),
    ("inProgress", "success"),
]


@pytest.fixture
def attempt_log(tmp_path: Path) -> AttemptLog:
    return AttemptLog(str(tmp_path / "attempt_log"))


async def start_attempt(rig: Rig, attempt_log: AttemptLog, name: str) -> str:
    """Schedule a function and wait until the worker runs it; return the job's id."""
    job_id = await rig.schedule(name, name=attempt_log.name)
    await rig.wait_until(lambda: attempt_log.lines == ["1 started"])
    return job_id


async def wait_until_taken_over(rig: Rig, attempt_log: AttemptLog, job_id: str) -> Document:
    """Wait until the second attempt runs at the same time as the first; return the job."""
    await rig.wait_until(lambda: attempt_log.lines == ["1 started", "2 started"], within=WITHIN_S)
    return await rig.job(job_id)


async def wait_until_rejoined(rig: Rig, worker: Child) -> str:
    """Wait until a worker has unregistered and registered again; return its logs until then."""
    log = worker.log
    assert log is not None
    await rig.wait_until(lambda: log.read_text().count("worker.started") == 2, within=WITHIN_S)
    return log.read_text()


def holder_of(job: Document, attempt: int) -> str:
    (event,) = [
        event
        for event in job["timeline"]
        if (event["state"], event["attempt"]) == ("inProgress", attempt)
    ]
    return str(event["worker"])


@pytest.mark.parametrize("failure", ["cut", "stall"])
async def test_worker_disconnected_from_mongodb_drops_its_jobs_and_gets_a_new_id(
    rig_without_worker: Rig,
    processes: Processes,
    mongo_proxy: Proxy,
    attempt_log: AttemptLog,
    failure: str,
) -> None:
    rig, url = rig_without_worker, mongo_proxy.url
    (worker,) = await start_workers(rig, processes, mongo_url=url, drain_timeout_ms=DRAIN_MS)
    job_id = await start_attempt(rig, attempt_log, "log_attempts")
    getattr(mongo_proxy, failure)()
    async with run_worker(rig.engine.settings):
        held = await wait_until_taken_over(rig, attempt_log, job_id)
        mongo_proxy.heal()
        log = await wait_until_rejoined(rig, worker)
        assert attempt_log.lines == ["1 started", "2 started", "1 canceled"]
        assert ("worker.lease_lost" in log, "attempt.superseded" in log) == (True, False)
        assert await rig.job(job_id) == held
        attempt_log.release(2)
        job = await rig.wait_until_ended(job_id)
    assert (job["result"], state_changes(job)) == (2, TAKEN_OVER)
    assert holder_of(await rig.run("echo"), 1) not in {holder_of(job, 1), holder_of(job, 2)}


async def test_result_is_rejected_after_blocking_the_loop_beyond_the_lease(
    rig_without_worker: Rig, processes: Processes, attempt_log: AttemptLog
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    job_id = await start_attempt(rig_without_worker, attempt_log, "block_at_first")
    async with run_worker(rig_without_worker.engine.settings):
        held = await wait_until_taken_over(rig_without_worker, attempt_log, job_id)
        attempt_log.release(1)
        log = await wait_until_rejoined(rig_without_worker, worker)
        assert attempt_log.lines == ["1 started", "2 started", "1 returned"]
        assert await rig_without_worker.job(job_id) == held
        attempt_log.release(2)
        job = await rig_without_worker.wait_until_ended(job_id)
    assert (job["result"], state_changes(job)) == (2, TAKEN_OVER)
    job_lines = [line for line in log.splitlines() if job_id in line]
    (blocked,) = [line for line in job_lines if "loop.blocked" in line]
    assert all(word in blocked for word in ("functions.blockAtFirst", "_block ("))
    assert len([line for line in job_lines if "attempt.superseded" in line]) == 1


async def test_mutation_that_blocks_the_loop_beyond_the_lease_takes_effect_once(
    rig_without_worker: Rig, processes: Processes, attempt_log: AttemptLog
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    job_id = await start_attempt(rig_without_worker, attempt_log, "block_in_mutation")
    async with run_worker(rig_without_worker.engine.settings):
        job = await rig_without_worker.wait_until_ended(job_id, within=WITHIN_S)
        attempt_log.release(1)
        await wait_until_rejoined(rig_without_worker, worker)
    assert attempt_log.lines == ["1 started", "1 returned"]
    assert await rig_without_worker.job(job_id) == job
    assert (job["result"], state_changes(job)) == (2, TAKEN_OVER)
    assert [effect["attempt"] for effect in await rig_without_worker.all("effects")] == [2]
