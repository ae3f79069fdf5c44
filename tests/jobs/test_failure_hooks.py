"""Hooks are called at least once after each failure, and never change the failed job."""

import importlib
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from structlog.testing import capture_logs

from ostinato.jobs.context import Context
from ostinato.jobs.failure_hooks import CALL_HOOKS, FailedJob, HookJobs, hooks_of
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.poisoned_jobs import HeldJob
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import JobState
from ostinato.jobs.registry import registry
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.stored_errors import stored_error
from tests.engine.functions import calls
from tests.engine.rig import Rig, run_worker
from tests.jobs.worker.test_crashes import build_rescuer

Document = dict[str, Any]


async def record_for_all(ctx: Context, failed: FailedJob) -> None:
    """Record the failed job and the owner of the hook."""
    calls.append((failed.function_name, ctx.owner))


async def raise_error(ctx: Context, failed: FailedJob) -> None:
    """Fail."""
    raise RuntimeError("hook")


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the hooks for all functions, which the test may change."""
    registered: dict[str, Any] = {}
    monkeypatch.setattr(registry, "failure_hooks", registered)
    return registered


async def hook_jobs(rig: Rig) -> list[Document]:
    return await rig.all("jobs", functionName=CALL_HOOKS)


async def fail_unstarted(rig: Rig, job_id: str) -> Outcome:
    """Fail a job as a worker would, without calling its function."""
    (claimed,) = await rig.claim(job_id)
    outcome = Outcome(
        job_id=job_id,
        attempt=claimed.info.attempt,
        transition=TransitionName.FAIL,
        retention_ms=9,
        error=stored_error("ValueError", "no"),
    )
    await OutcomeStore(rig.engine.mongo, poisoned=rig.engine.store.poisoned).write([outcome], 0)
    return outcome


async def test_hook_of_a_function_receives_the_failed_job_after_its_last_attempt(rig: Rig) -> None:
    job = await rig.run("failWithHook", attempts=9)
    await rig.wait_until(lambda: calls)
    (failed,) = calls
    assert (failed.id, failed.function_name) == (job["_id"], "functions.failWithHook")
    assert (failed.owner, failed.args, failed.attempts) == ("alice", {"attempts": 9}, 2)
    assert (failed.error.name, failed.error.message) == ("ValueError", "attempt 2")
    assert failed.error.traceback == job["error"]["traceback"]
    assert failed.failed_at == job["completedAt"]


async def test_hook_is_not_called_after_an_attempt_that_is_retried(rig: Rig) -> None:
    job = await rig.run("failWithHook", attempts=1)
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert await hook_jobs(rig) == []


async def test_hooks_for_all_functions_are_called_too_and_belong_to_the_system(
    rig: Rig, hooks: dict[str, Any]
) -> None:
    hooks["all"] = record_for_all
    await rig.run("failWithHook", attempts=9)
    await rig.run("failWith", message="no")
    await rig.wait_until(lambda: len(calls) == 3)
    assert ("functions.failWithHook", None) in calls
    assert ("functions.failWith", None) in calls


async def test_hook_that_raises_is_logged_and_changes_neither_the_job_nor_other_hooks(
    rig: Rig, hooks: dict[str, Any]
) -> None:
    hooks["all"] = raise_error
    with capture_logs() as logs:
        job = await rig.run("failWithHook", attempts=9)
        await rig.wait_until(lambda: calls)
        (hook_job,) = await hook_jobs(rig)
        assert (await rig.wait_until_ended(hook_job["_id"]))["state"] == "success"
    (line,) = [line for line in logs if line["event"] == "failure_hook.failed"]
    assert (line["failed_job_id"], line["log_level"]) == (job["_id"], "error")
    assert line["hook"] == f"{__name__}.raise_error"
    assert (await rig.job(job["_id"]))["version"] == job["version"]


async def test_hook_is_called_although_the_worker_died_right_after_the_failure(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    job_id = await rig_without_worker.schedule("failWithHook", attempts=9)
    await fail_unstarted(rig_without_worker, job_id)
    async with run_worker(fast_settings):
        await rig_without_worker.wait_until(lambda: calls)
    assert [failed.id for failed in calls] == [job_id]


async def test_hook_whose_worker_was_lost_is_called_again(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    await fail_unstarted(rig, await rig.schedule("failWithHook", attempts=9))
    (hook_job,) = await hook_jobs(rig)
    await rig.claim(hook_job["_id"], "dead")
    await build_rescuer(rig).rescue()
    assert (await rig.job(hook_job["_id"]))["state"] == "pending"


async def test_failure_that_is_written_twice_calls_its_hooks_once(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    outcome = await fail_unstarted(rig, await rig.schedule("failWithHook", attempts=9))
    await OutcomeStore(rig.engine.mongo, poisoned=rig.engine.store.poisoned).write([outcome], 0)
    assert len(await hook_jobs(rig)) == 1


async def test_job_that_fails_again_after_a_manual_retry_calls_its_hooks_again(rig: Rig) -> None:
    job = await rig.run("failWithHook", attempts=9)
    await rig.engine.changes.retry(job["_id"])
    await rig.wait_until(lambda: len(calls) == 2)
    assert [failed.attempts for failed in calls] == [2, 4]


async def test_hooks_of_a_job_of_a_lost_worker_are_called(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    job_id = await rig.schedule("failWithHook", attempts=9)
    await rig.engine.mongo["jobs"].update_one({"_id": job_id}, {"$set": {"maxAttempts": 1}})
    await rig.claim(job_id, "dead")
    await build_rescuer(rig).rescue()
    (hook_job,) = await hook_jobs(rig)
    assert hook_job["args"]["failed"]["error"]["name"] == "WorkerLost"


async def test_hooks_of_a_malformed_job_are_called(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    job_id = await rig.schedule("failWithHook", attempts=9)
    change = {"$set": {"timeline": "gone", "owner": 5, "queue": 5, "args": "gone"}}
    await rig.engine.mongo["jobs"].update_one({"_id": job_id}, change)
    held = HeldJob(job_id, JobState.PENDING)
    assert await rig.engine.store.poisoned.fail(held, ValueError("malformed"), 0)
    (hook_job,) = await hook_jobs(rig)
    failed = hook_job["args"]["failed"]
    assert (failed["owner"], hook_job["queue"]) == (None, "default")
    assert failed["error"]["name"] == "MalformedDocument"
    registry.resolve(CALL_HOOKS).arguments.unpack(hook_job["args"])


async def test_job_that_calls_hooks_is_an_internal_job_of_the_system_in_the_same_queue(
    rig_without_worker: Rig,
) -> None:
    rig = rig_without_worker
    new = replace(await rig.build_job("failWithHook", {"attempts": 9}), queue="mail")
    await fail_unstarted(rig, (await rig.engine.schedule(new)).id)
    (hook_job,) = await hook_jobs(rig)
    assert (hook_job["owner"], hook_job["internal"], hook_job["queue"]) == (None, True, "mail")


async def test_arguments_reach_the_hook_unchanged(rig: Rig, hooks: dict[str, Any]) -> None:
    received: list[object] = []

    async def receive(ctx: Context, failed: FailedJob) -> None:
        received.append(failed.args)

    hooks["all"] = receive
    value = {"$ref": "a", "$id": 1, "a.b": [2**40, None, 1.5, True, "2030-01-01T00:00:00Z"]}
    new = await rig.build_job("failAfterEcho", {"value": value})
    await rig.engine.schedule(new)
    await rig.wait_until(lambda: received)
    assert received == [{"value": value}]


def test_hook_of_a_function_and_of_all_functions_is_called_once(hooks: dict[str, Any]) -> None:
    function = registry.resolve("functions.failWithHook")
    assert function.on_failure is not None
    hooks |= {"all": record_for_all, "own": function.on_failure}
    assert hooks_of(registry, function.name) == [function.on_failure, record_for_all]


def test_failure_of_the_job_that_calls_hooks_calls_none(hooks: dict[str, Any]) -> None:
    hooks["all"] = record_for_all
    assert HookJobs(registry).build({"functionName": CALL_HOOKS}, {}) is None


class RecordingTransport(Transport):
    """Records what the example sends to Sentry."""

    sent: ClassVar[list[Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Record an event."""
        self.sent.append(envelope.get_event())


async def test_sentry_example_reports_a_failed_job_without_its_arguments(
    rig: Rig, hooks: dict[str, Any]
) -> None:
    importlib.import_module("docs.examples.sentry_hook")  # registers its hook
    sentry_sdk.init(
        dsn="http://key@sentry.invalid/1", transport=RecordingTransport, default_integrations=False
    )
    try:
        job = await rig.run("countThenFail", secret="hunter2")
        await rig.wait_until(lambda: RecordingTransport.sent)
    finally:
        sentry_sdk.init(default_integrations=False)  # the others change Strawberry for good
    (event,) = RecordingTransport.sent
    assert (event["message"], event["level"]) == ("ValueError: 7 letters", "error")
    assert event["tags"] == {"function": "functions.countThenFail", "attempts": 1}
    assert event["contexts"]["job"]["id"] == job["_id"]
    assert "hunter2" not in repr(event)
