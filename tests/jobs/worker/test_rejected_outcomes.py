"""MongoDB rejects an outcome: the function does not run again, and other jobs are unaffected."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.records import Progress
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker import outcome_writer
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.outcome_writer import OutcomeWriter
from ostinato.jobs.worker.progress import ProgressReport
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker, state_changes

ONCE = [(None, "pending"), ("pending", "inProgress")]
OTHERS = 12
DRAIN_S = 30.0  # rejections last until the worker has exited
TRANSIENT_CODES = [8, 13, 14031]  # unknown error, missing privilege, full disk


@pytest.fixture
async def rejecting_rig(
    fast_settings: Settings, failing_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    """Return an installation with a worker whose MongoDB can be made to reject its writes."""
    monkeypatch.setattr(outcome_writer, "MAX_REJECTED_PAUSE_S", 0.2)
    fresh = {"mongo_url": failing_url, "database": f"refused_{new_id()}"}
    settings = fast_settings.model_copy(update=fresh)
    async with Engine.open(settings) as engine, run_worker(settings):
        yield Rig(engine)
        await engine.mongo.client.drop_database(settings.database)


def rejections(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "outcome.rejected"]


@asynccontextmanager
async def failing(rig: Rig, mode: object = "alwaysOn", **data: object) -> AsyncIterator[None]:
    """Make MongoDB fail commands on jobs within the block."""
    admin, jobs = rig.engine.mongo.client.admin, f"{rig.engine.settings.database}.jobs"
    point = {"configureFailPoint": "failCommand"}
    await admin.command({**point, "mode": mode, "data": {"namespace": jobs, **data}})
    try:
        yield
    finally:
        await admin.command({**point, "mode": "off"})


@asynccontextmanager
async def rejecting_outcomes(rig: Rig) -> AsyncIterator[None]:
    """Reject every update that ends a job, within the block."""
    await set_validator(rig, {"state": {"$in": ["pending", "inProgress"]}})
    try:
        yield
    finally:
        await set_validator(rig, {})


async def set_validator(rig: Rig, validator: Mapping[str, Any]) -> None:
    await rig.engine.mongo.database.command({"collMod": "jobs", "validator": validator})


@pytest.mark.parametrize("code", TRANSIENT_CODES)
async def test_outcome_is_kept_until_mongodb_accepts_it(rejecting_rig: Rig, code: int) -> None:
    job_id = await rejecting_rig.schedule("hold")
    await gate.reached.wait()
    async with failing(rejecting_rig, {"times": 3}, failCommands=["update"], errorCode=code):
        gate.opened.set()
        with capture_logs() as logs:
            job = await rejecting_rig.wait_until_ended(job_id)
    assert state_changes(job) == [*ONCE, ("inProgress", "success")]
    assert (job["result"], gate.visits) == ("let go", 1)
    assert [line["event"] for line in logs].count("outcome.rejected") == 3


async def test_outcome_rejected_by_a_validator_fails_only_its_job(rejecting_rig: Rig) -> None:
    await set_validator(rejecting_rig, {"result": {"$ne": "bad"}})
    values = [*range(OTHERS), "bad", *range(OTHERS)]
    ids = await asyncio.gather(*(rejecting_rig.schedule("echo", value=value) for value in values))
    jobs = [await rejecting_rig.wait_until_ended(job_id) for job_id in ids]
    bad = jobs.pop(OTHERS)
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}
    assert state_changes(bad) == [*ONCE, ("inProgress", "failed")]
    assert bad["error"]["name"] == "OutcomeRefused"
    assert "failed validation" in bad["error"]["message"]


async def test_rejected_progress_does_not_lose_the_result(rejecting_rig: Rig) -> None:
    await set_validator(rejecting_rig, {"progress.total": {"$ne": 2}})
    job = await rejecting_rig.run("echo", value="kept")
    assert (job["state"], job["attempt"], job["result"]) == ("success", 1, "kept")
    assert job.get("progress") is None


async def test_rejected_error_is_stored_without_its_traceback(rejecting_rig: Rig) -> None:
    await set_validator(rejecting_rig, {"error.traceback": {"$not": {"$type": "string"}}})
    job = await rejecting_rig.run("fail_with", message="no")
    assert (job["state"], job["attempt"]) == ("failed", 1)
    assert job["error"] == {"name": "ValueError", "message": "no", "traceback": None}


async def test_function_does_not_run_again_after_its_outcome_is_rejected(
    rejecting_rig: Rig,
) -> None:
    ended = {"state": {"$in": ["success", "failed"]}, "functionName": "functions.hold"}
    await set_validator(rejecting_rig, {"$nor": [ended]})
    job_id = await rejecting_rig.schedule("hold")
    await gate.reached.wait()
    with capture_logs() as logs:
        gate.opened.set()
        assert (await rejecting_rig.run("echo"))["state"] == "success"
        await rejecting_rig.wait_until(lambda: len(rejections(logs)) > 5)
    await set_validator(rejecting_rig, {})
    job = await rejecting_rig.wait_until_ended(job_id)
    assert state_changes(job) == [*ONCE, ("inProgress", "failed")]
    assert (gate.visits, job["error"]["name"]) == (1, "OutcomeRefused")


async def test_stopping_worker_does_not_retry_rejected_outcomes(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    job_id, now = await rig_without_worker.schedule("hold"), asyncio.get_running_loop().time
    async with rejecting_outcomes(rig_without_worker):
        with capture_logs() as logs:
            async with run_worker(fast_settings):
                await gate.reached.wait()
                gate.opened.set()
                await rig_without_worker.wait_until(lambda: rejections(logs))
                began = now()
        assert now() - began < DRAIN_S
    assert "outcome.given_up" in [line["event"] for line in logs]
    async with run_worker(fast_settings):
        job = await rig_without_worker.wait_until_ended(job_id, within=30)
    assert (job["state"], job["attempt"], gate.visits) == ("failed", 1, 1)
    assert job["error"]["name"] == "WorkerLost"


async def test_mutation_whose_result_is_rejected_fails_once_and_does_not_affect_the_others(
    rejecting_rig: Rig,
) -> None:
    await rejecting_rig.run("insert_effect", name="first")
    await set_validator(rejecting_rig, {"result": {"$ne": "bad"}})
    names = [*map(str, range(OTHERS)), "bad", *map(str, range(OTHERS, 2 * OTHERS))]
    ids = await asyncio.gather(
        *(rejecting_rig.schedule("insert_effect", name=name) for name in names)
    )
    jobs = [await rejecting_rig.wait_until_ended(job_id) for job_id in ids]
    bad = jobs.pop(OTHERS)
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}
    assert (bad["state"], bad["attempt"]) == ("failed", 1)
    effects = [effect["name"] for effect in await rejecting_rig.all("effects")]
    assert sorted(effects) == sorted(["first", *(name for name in names if name != "bad")])


@pytest.mark.parametrize("code", TRANSIENT_CODES)
async def test_mutation_that_temporarily_cannot_commit_runs_again(
    rejecting_rig: Rig, code: int
) -> None:
    job_id = await rejecting_rig.schedule("hold_in_mutation")
    await gate.reached.wait()
    async with failing(rejecting_rig, {"times": 1}, failCommands=["update"], errorCode=code):
        gate.opened.set()
        await rejecting_rig.wait_for_retry(job_id, 1)
    await rejecting_rig.engine.advance(1_000)
    job = await rejecting_rig.wait_until_ended(job_id)
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["name"] for effect in await rejecting_rig.all("effects")] == ["held"]


async def test_progress_that_cannot_be_encoded_does_not_affect_attempt_or_outcome(
    rig_without_worker: Rig,
) -> None:
    ids = [await rig_without_worker.schedule("echo") for _ in range(2)]
    claimed = [Attempt((await rig_without_worker.claim(job_id))[0], 9) for job_id in ids]
    report = ProgressReport(rig_without_worker.engine.store, ids[0], 1)
    await report.write(Progress(done=2**70, total=None, message=None))
    first = claimed[0].outcome_of_success(1)._replace(progress=report.unwritten)
    write = OutcomeWriter(
        OutcomeStore(rig_without_worker.engine.mongo),
        rig_without_worker.engine.clock,
        lambda _: None,
    ).write
    assert all(await asyncio.gather(write(first), write(claimed[1].outcome_of_success(2))))
    assert [(await rig_without_worker.job(job_id))["result"] for job_id in ids] == [1, 2]
