"""Every failed attempt is in the log, whatever made it fail; arguments are not."""

import asyncio
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from ostinato.jobs.failure_log import FailedAttempt, FailureLog
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.stored_errors import stored_error
from tests.engine.functions import HALF_AN_HOUR_MS
from tests.engine.rig import Rig
from tests.jobs.worker.test_crashes import build_rescuer

Line = dict[str, Any]
FAILED = FailedAttempt(
    function_name="shop.send",
    job_id="j1",
    attempt=1,
    error=stored_error("ValueError", "no", "Traceback: no"),
)


def lines_of(logs: list[Any], job_id: str) -> list[Line]:
    events = ("job.failed", "job.retrying")
    return [line for line in logs if line["event"] in events and line["job_id"] == job_id]


async def test_failed_job_is_logged_with_its_error_but_not_its_arguments(rig: Rig) -> None:
    with capture_logs() as logs:
        job = await rig.run("countThenFail", secret="hunter2")
        await rig.wait_until(lambda: lines_of(logs, job["_id"]))
    (line,) = lines_of(logs, job["_id"])
    assert (line["event"], line["log_level"]) == ("job.failed", "error")
    assert (line["function"], line["attempt"]) == ("functions.countThenFail", 1)
    assert (line["error"], line["message"]) == ("ValueError", "7 letters")
    assert 'raise ValueError(f"{len(secret)} letters")' in line["exception"]
    assert "hunter2" not in repr(logs)


async def test_failed_attempt_that_is_retried_is_logged_with_its_delay(rig: Rig) -> None:
    with capture_logs() as logs:
        job_id = await rig.schedule("failTwice")
        await rig.wait_for_retry(job_id, 1)
        await rig.wait_until(lambda: lines_of(logs, job_id))
    (line,) = lines_of(logs, job_id)
    assert (line["event"], line["log_level"]) == ("job.retrying", "warning")
    assert (line["attempt"], line["retry_in_ms"]) == (1, HALF_AN_HOUR_MS)


async def test_timeout_is_logged(rig: Rig) -> None:
    new = replace(await rig.build_job("waitForever"), timeout_ms=1)
    with capture_logs() as logs:
        job_id = (await rig.engine.schedule(new)).id
        await rig.wait_until(lambda: lines_of(logs, job_id))
    line = lines_of(logs, job_id)[0]
    assert (line["event"], line["error"]) == ("job.retrying", "TimeoutError")
    assert line["message"] == "functions.waitForever took longer than 1 ms"


async def test_job_of_an_unknown_function_is_logged_as_failed(rig: Rig) -> None:
    known = await rig.build_job("echo")
    unknown = replace(known, function=replace(known.function, name="functions.gone"))
    with capture_logs() as logs:
        job_id = (await rig.engine.schedule(unknown)).id
        await rig.wait_until(lambda: lines_of(logs, job_id))
    (line,) = lines_of(logs, job_id)
    assert (line["error"], line["function"]) == ("UnknownFunction", "functions.gone")


async def test_jobs_of_a_lost_worker_are_logged(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    again, ended = await asyncio.gather(rig.schedule("count", name="a"), rig.schedule("echo"))
    await rig.claim_all([again, ended], "dead")
    with capture_logs() as logs:
        await build_rescuer(rig).rescue()
    (retried,), (failed,) = lines_of(logs, again), lines_of(logs, ended)
    assert (retried["event"], retried["error"]) == ("job.retrying", "WorkerLost")
    assert (failed["event"], failed["error"]) == ("job.failed", "WorkerLost")


async def test_job_with_a_malformed_document_is_logged_as_failed(rig: Rig) -> None:
    new = await rig.build_job("echo")
    job_id = await rig.schedule_at(new, new.scheduled_time.replace(year=2027))
    with capture_logs() as logs:
        change = {"$set": {"timeline": "gone", "scheduledTime": new.scheduled_time}}
        await rig.engine.mongo["jobs"].update_one({"_id": job_id}, change)
        await rig.wait_until(lambda: lines_of(logs, job_id))
    (line,) = lines_of(logs, job_id)
    assert (line["event"], line["error"]) == ("job.failed", "MalformedDocument")
    assert line["function"] == "functions.echo"


async def test_attempt_that_was_canceled_meanwhile_is_not_logged_as_failed(
    rig_without_worker: Rig,
) -> None:
    rig = rig_without_worker
    job_id = await rig.schedule("echo")
    (claimed,) = await rig.claim(job_id)
    await rig.cancel(job_id)
    with capture_logs() as logs:
        lost = await rig.complete(Attempt(claimed, 9).outcome_of_failure(stored_error("E", "no")))
    assert ((await rig.job(job_id))["state"], lost) == ("canceled", set())
    assert lines_of(logs, job_id) == []


async def test_outcome_of_another_attempt_is_not_logged_as_failed(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("echo")
    await rig_without_worker.claim(job_id)
    stale = Outcome(
        job_id=job_id,
        attempt=7,
        transition=TransitionName.FAIL,
        retention_ms=9,
        error=stored_error("E", "no"),
    )
    with capture_logs() as logs:
        assert await rig_without_worker.complete(stale) == {job_id}
    assert lines_of(logs, job_id) == []


def test_identical_failures_are_logged_once_a_second() -> None:
    failure_log = FailureLog()
    with capture_logs() as logs:
        failure_log.write(FAILED)
        failure_log.write(replace(FAILED, job_id="j2"))
        failure_log.write(replace(FAILED, error=stored_error("ValueError", "other")))
        failure_log.write(replace(FAILED, retry_in_ms=5))
    assert [(line["event"], line["message"]) for line in logs] == [
        ("job.failed", "no"),
        ("job.failed", "other"),
        ("job.retrying", "no"),
    ]


def test_a_process_logs_at_most_100_failures_a_second() -> None:
    failure_log = FailureLog()
    with capture_logs() as logs:
        for number in range(200):
            failure_log.write(replace(FAILED, error=stored_error("ValueError", str(number))))
    assert len(logs) == 100
