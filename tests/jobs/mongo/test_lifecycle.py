"""Every transition of jobs.lifecycle from every state, against the database."""

import asyncio
from typing import Any

import pytest

from ostinato.jobs.errors import NotFound, PreconditionFailed
from ostinato.jobs.filters import FailureFilter
from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, TransitionName, is_allowed
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Session
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.transaction import run_transaction
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.paging import Window
from ostinato.jobs.records import JobState
from ostinato.jobs.worker.stored_errors import stored_error
from tests.engine.rig import Rig, state_changes

TRANSITION_TO = {
    JobState.SUCCESS: TransitionName.SUCCEED,
    JobState.FAILED: TransitionName.FAIL,
    JobState.CANCELED: TransitionName.STOP,
}
FENCED = [name for name in TRANSITIONS if TRANSITIONS[name].fenced]


async def in_state(rig: Rig, state: JobState) -> str:
    """Create a job in this state, with the transitions that lead to it."""
    job_id = await rig.schedule("echo")
    if state is not JobState.PENDING:
        await rig.claim(job_id)
    if state in FINAL_STATES:
        await rig.complete(ending(job_id, TRANSITION_TO[state]))
    return job_id


def ending(job_id: str, name: TransitionName, attempt: int = 1) -> Outcome:
    error = stored_error("ValueError", "no")
    return Outcome(job_id=job_id, attempt=attempt, transition=name, retention_ms=1000, error=error)


async def make_transition(
    rig: Rig, name: TransitionName, job_id: str, attempt: int | None = None
) -> int:
    """Make a transition with its guard and pipeline; return how many jobs matched."""
    changed = await rig.engine.mongo["jobs"].update_one(
        transitions.guard(name, [job_id], attempt),
        transitions.pipeline(name, "$$NOW", retention_ms=1000),
    )
    return changed.matched_count


@pytest.mark.parametrize("state", JobState)
async def test_transition_is_made_only_from_its_source_states(
    rig_without_worker: Rig, state: JobState, subtests: pytest.Subtests
) -> None:
    for name, transition in TRANSITIONS.items():
        with subtests.test(name.value):
            job_id = await in_state(rig_without_worker, state)
            before = await rig_without_worker.job(job_id)
            attempt = before["attempt"] if transition.fenced else None
            matched = await make_transition(rig_without_worker, name, job_id, attempt)
            after = await rig_without_worker.job(job_id)
            assert matched == is_allowed(name, state)
            if matched:
                assert state_changes(after)[-1] == (state, transition.target)
                expected = (transition.target, before["version"] + 1)
                assert (after["state"], after["version"]) == expected
            else:
                assert after == before


@pytest.mark.parametrize("attempt", [0, 2])
async def test_stale_attempt_changes_nothing(
    rig_without_worker: Rig, attempt: int, subtests: pytest.Subtests
) -> None:
    for name in FENCED:
        with subtests.test(name.value):
            job_id = await in_state(rig_without_worker, JobState.IN_PROGRESS)
            before = await rig_without_worker.job(job_id)
            assert await rig_without_worker.complete(ending(job_id, name, attempt)) == {job_id}
            assert await rig_without_worker.job(job_id) == before
            assert await rig_without_worker.all("failures") == []


@pytest.mark.parametrize("name", FENCED)
async def test_fenced_transition_without_its_attempt_raises(name: TransitionName) -> None:
    with pytest.raises(ValueError, match="is fenced: pass `attempt`"):
        transitions.guard(name, ["x"])


@pytest.mark.parametrize(
    "name", [name for name in TRANSITIONS if TRANSITIONS[name].yields_to_cancel]
)
async def test_attempt_that_ends_after_a_cancel_request_is_canceled(
    rig_without_worker: Rig, name: TransitionName
) -> None:
    job_id = await in_state(rig_without_worker, JobState.IN_PROGRESS)
    await rig_without_worker.cancel(job_id)
    await rig_without_worker.complete(ending(job_id, name))
    job = await rig_without_worker.job(job_id)
    assert (job["state"], job.get("result"), job.get("error")) == ("canceled", None, None)
    assert job["purgeAt"] is not None
    assert await rig_without_worker.all("failures") == []


async def test_outcomes_that_share_a_write_are_independent(rig_without_worker: Rig) -> None:
    plain, cancel_requested, lost = [
        await in_state(rig_without_worker, JobState.IN_PROGRESS) for _ in range(3)
    ]
    await rig_without_worker.cancel(cancel_requested)
    await rig_without_worker.complete(ending(lost, TransitionName.HAND_BACK))
    succeeded = [
        ending(job_id, TransitionName.SUCCEED) for job_id in (plain, cancel_requested, lost)
    ]
    assert await OutcomeStore(rig_without_worker.engine.mongo).write(succeeded, 0) == {lost}
    states = [
        (await rig_without_worker.job(job_id))["state"]
        for job_id in (plain, cancel_requested, lost)
    ]
    assert states == ["success", "canceled", "pending"]


async def test_transaction_loses_a_job_canceled_in_the_same_attempt(
    rig_without_worker: Rig,
) -> None:
    canceled, running = [await in_state(rig_without_worker, JobState.IN_PROGRESS) for _ in range(2)]
    await rig_without_worker.cancel(canceled)
    await rig_without_worker.complete(ending(canceled, TransitionName.STOP))
    outcomes = [ending(job_id, TransitionName.SUCCEED) for job_id in (canceled, running)]
    mongo = rig_without_worker.engine.mongo

    async def finish(session: Session) -> set[str]:
        return await OutcomeStore(mongo).write_in_transaction(session, outcomes, 0)

    assert await run_transaction(mongo, finish) == {canceled}


@pytest.mark.parametrize("state", JobState)
async def test_only_succeeded_and_canceled_jobs_have_a_purge_time(
    rig_without_worker: Rig, state: JobState
) -> None:
    job = await rig_without_worker.job(await in_state(rig_without_worker, state))
    assert ("purgeAt" in job) == (state in (JobState.SUCCESS, JobState.CANCELED))
    assert ("lease" in job) == (state is JobState.IN_PROGRESS)


async def test_failed_job_has_one_failure_record_until_it_is_retried(
    rig_without_worker: Rig,
) -> None:
    job_id = await in_state(rig_without_worker, JobState.FAILED)
    await rig_without_worker.complete(ending(job_id, TransitionName.FAIL))
    assert [failure["jobId"] for failure in await rig_without_worker.all("failures")] == [job_id]
    retried = await rig_without_worker.engine.changes.retry(job_id)
    assert (retried.state, retried.error, retried.max_attempts) == (JobState.PENDING, None, 2)
    assert await rig_without_worker.all("failures") == []


@pytest.mark.parametrize(("message", "is_first"), [("no 2", True), ("never", False)])
async def test_failure_after_a_retry_knows_when_the_job_first_failed_so(
    rig_without_worker: Rig, message: str, is_first: bool
) -> None:
    rig, which = rig_without_worker, FailureFilter()
    job_id = await rig.schedule("echo")
    for attempt, text in enumerate(("no 1", "other", message), 1):
        await rig.claim(job_id)
        error = stored_error("ValueError", text)
        await rig.complete(ending(job_id, TransitionName.FAIL, attempt)._replace(error=error))
        if attempt < 3:
            await rig.engine.changes.retry(job_id)
    window = Window(limit=1)
    now = await rig.engine.now()
    (group,) = (await rig.engine.reads.find_failure_groups(None, which, window, now)).items
    times = [entry["at"] for entry in (await rig.job(job_id))["timeline"] if "error" in entry]
    assert (group.first_seen_at, group.last_seen_at) == (times[0 if is_first else 2], times[2])


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.IN_PROGRESS, JobState.SUCCESS])
async def test_only_failed_or_canceled_jobs_can_be_retried(
    rig_without_worker: Rig, state: JobState
) -> None:
    with pytest.raises(PreconditionFailed, match=state):
        await rig_without_worker.engine.changes.retry(await in_state(rig_without_worker, state))


@pytest.mark.parametrize("method", ["cancel", "retry"])
async def test_unknown_job_is_not_found(rig_without_worker: Rig, method: str) -> None:
    engine = rig_without_worker.engine
    act: Any = getattr(engine if method == "cancel" else engine.changes, method)
    with pytest.raises(NotFound):
        await act("0" * 24)


async def test_concurrent_claims_start_one_attempt(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("echo")
    claims = await asyncio.gather(
        *(rig_without_worker.claim(job_id, f"w{number}") for number in range(8))
    )
    assert [len(claim) for claim in claims].count(1) == 1
    assert (await rig_without_worker.job(job_id))["attempt"] == 1
