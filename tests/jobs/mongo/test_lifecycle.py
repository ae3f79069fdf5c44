"""Every transition of jobs.lifecycle from every state, against the database."""

import asyncio
import itertools
from typing import Any

import pytest

from ostinato.jobs.errors import NotFound, PreconditionFailed
from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, TransitionName, is_allowed
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Session
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.transaction import run_transaction
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import JobState
from ostinato.jobs.worker.stored_errors import stored_error
from tests.engine.rig import Rig, state_changes

ENDS = {
    JobState.SUCCESS: TransitionName.SUCCEED,
    JobState.FAILED: TransitionName.FAIL,
    JobState.CANCELED: TransitionName.STOP,
}
FENCED = [name for name in TRANSITIONS if TRANSITIONS[name].fenced]


async def in_state(rig: Rig, state: JobState) -> str:
    """Bring a job into a state by the transitions that lead there."""
    job_id = await rig.schedule("echo")
    if state is not JobState.PENDING:
        await rig.claim(job_id)
    if state in FINAL_STATES:
        await rig.complete(ending(job_id, ENDS[state]))
    return job_id


def ending(job_id: str, name: TransitionName, attempt: int = 1) -> Outcome:
    error = stored_error("ValueError", "no")
    return Outcome(job_id=job_id, attempt=attempt, transition=name, keep_ms=1000, error=error)


async def make(rig: Rig, name: TransitionName, job_id: str, attempt: int | None = None) -> int:
    """Make a transition as the engine does: guard and pipeline; return how many jobs matched."""
    changed = await rig.engine.mongo["jobs"].update_one(
        transitions.guard(name, [job_id], attempt),
        transitions.pipeline(name, "$$NOW", keep_ms=1000),
    )
    return changed.matched_count


@pytest.mark.parametrize(("state", "name"), list(itertools.product(JobState, TransitionName)))
async def test_transition_is_made_only_from_its_source_states(
    idle: Rig, state: JobState, name: TransitionName
) -> None:
    job_id = await in_state(idle, state)
    before = await idle.job(job_id)
    made = await make(idle, name, job_id, before["attempt"] if TRANSITIONS[name].fenced else None)
    after = await idle.job(job_id)
    assert made == is_allowed(name, state)
    if made:
        assert state_changes(after)[-1] == (state, TRANSITIONS[name].target)
        assert (after["state"], after["version"]) == (
            TRANSITIONS[name].target,
            before["version"] + 1,
        )
    else:
        assert after == before


@pytest.mark.parametrize("name", FENCED)
@pytest.mark.parametrize("attempt", [0, 2])
async def test_stale_attempt_changes_nothing(idle: Rig, name: TransitionName, attempt: int) -> None:
    job_id = await in_state(idle, JobState.IN_PROGRESS)
    before = await idle.job(job_id)
    assert await idle.complete(ending(job_id, name, attempt)) == {job_id}
    assert await idle.job(job_id) == before
    assert await idle.all("failures") == []


@pytest.mark.parametrize("name", FENCED)
async def test_fenced_transition_without_its_attempt_raises(name: TransitionName) -> None:
    with pytest.raises(ValueError, match="is fenced: pass `attempt`"):
        transitions.guard(name, ["x"])


@pytest.mark.parametrize(
    "name", [name for name in TRANSITIONS if TRANSITIONS[name].yields_to_cancel]
)
async def test_attempt_that_ends_after_a_cancel_request_is_canceled(
    idle: Rig, name: TransitionName
) -> None:
    job_id = await in_state(idle, JobState.IN_PROGRESS)
    await idle.cancel(job_id)
    await idle.complete(ending(job_id, name))
    job = await idle.job(job_id)
    assert (job["state"], job.get("result"), job.get("error")) == ("canceled", None, None)
    assert job["purgeAt"] is not None
    assert await idle.all("failures") == []


async def test_outcomes_that_share_a_write_are_independent(idle: Rig) -> None:
    plain, asked, lost = [await in_state(idle, JobState.IN_PROGRESS) for _ in range(3)]
    await idle.cancel(asked)
    await idle.complete(ending(lost, TransitionName.HAND_BACK))
    succeeded = [ending(job_id, TransitionName.SUCCEED) for job_id in (plain, asked, lost)]
    assert await OutcomeStore(idle.engine.mongo).write(succeeded, 0) == {lost}
    states = [(await idle.job(job_id))["state"] for job_id in (plain, asked, lost)]
    assert states == ["success", "canceled", "pending"]


async def test_transaction_loses_a_job_canceled_in_the_same_attempt(
    idle: Rig,
) -> None:
    canceled, running = [await in_state(idle, JobState.IN_PROGRESS) for _ in range(2)]
    await idle.cancel(canceled)
    await idle.complete(ending(canceled, TransitionName.STOP))
    ends = [ending(job_id, TransitionName.SUCCEED) for job_id in (canceled, running)]
    mongo = idle.engine.mongo

    async def finish(session: Session) -> set[str]:
        return await OutcomeStore(mongo).write_in_transaction(session, ends, 0)

    assert await run_transaction(mongo, finish) == {canceled}


@pytest.mark.parametrize("state", JobState)
async def test_only_succeeded_and_canceled_jobs_have_a_purge_time(
    idle: Rig, state: JobState
) -> None:
    job = await idle.job(await in_state(idle, state))
    assert ("purgeAt" in job) == (state in (JobState.SUCCESS, JobState.CANCELED))
    assert ("lease" in job) == (state is JobState.IN_PROGRESS)


async def test_failed_job_has_one_failure_record_until_it_is_retried(idle: Rig) -> None:
    job_id = await in_state(idle, JobState.FAILED)
    await idle.complete(ending(job_id, TransitionName.FAIL))
    assert [failure["jobId"] for failure in await idle.all("failures")] == [job_id]
    revived = await idle.engine.retry(job_id)
    assert (revived.state, revived.error, revived.max_attempts) == (JobState.PENDING, None, 2)
    assert await idle.all("failures") == []


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.IN_PROGRESS, JobState.SUCCESS])
async def test_only_failed_or_canceled_jobs_can_be_retried(idle: Rig, state: JobState) -> None:
    with pytest.raises(PreconditionFailed, match=state):
        await idle.engine.retry(await in_state(idle, state))


@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_unknown_job_is_not_found(idle: Rig, verb: str) -> None:
    act: Any = getattr(idle.engine, verb)
    with pytest.raises(NotFound):
        await act("0" * 24)


async def test_concurrent_claims_start_one_attempt(idle: Rig) -> None:
    job_id = await idle.schedule("echo")
    claims = await asyncio.gather(*(idle.claim(job_id, f"w{number}") for number in range(8)))
    assert [len(claim) for claim in claims].count(1) == 1
    assert (await idle.job(job_id))["attempt"] == 1
