"""Actions start at most once per attempt; the policy alone gives them another."""

from datetime import timedelta

import pytest

from jobs.lifecycle import Move
from jobs.records import FunctionKind
from jobs.retry import Retry
from jobs.worker.attempt import Attempt
from tests.engine.functions import HALF_AN_HOUR_MS
from tests.engine.rig import Rig, moves_of

HALF_AN_HOUR = timedelta(milliseconds=HALF_AN_HOUR_MS)


async def test_retries_come_at_exact_times_and_every_attempt_is_on_the_timeline(rig: Rig) -> None:
    job_id = await rig.schedule("fail_twice")
    for attempt, delay in ((1, HALF_AN_HOUR), (2, 2 * HALF_AN_HOUR)):
        job = await rig.attempted(job_id, attempt)
        event = job["timeline"][-1]
        assert event["nextRunAt"] - event["at"] == delay == job["scheduledTime"] - event["at"]
        assert event["error"]["message"] == f"attempt {attempt}"
        await rig.engine.advance(delay // timedelta(milliseconds=1))
    job = await rig.ended(job_id)
    again = [("pending", "inProgress"), ("inProgress", "pending")]
    assert moves_of(job) == [(None, "pending"), *again * 2, again[0], ("inProgress", "success")]
    assert (job["result"], job["attempt"], job.get("error")) == ("at last", 3, None)
    assert await rig.all("failures") == []


async def test_an_attempt_does_not_start_before_its_time(rig: Rig) -> None:
    job_id = await rig.schedule("fail_twice")
    await rig.attempted(job_id, 1)
    await rig.engine.advance(HALF_AN_HOUR_MS - 5_000)
    await rig.run("echo")
    assert (await rig.job(job_id))["state"] == "pending"
    await rig.engine.advance(5_000)
    await rig.attempted(job_id, 2)


async def test_an_action_without_a_policy_starts_once(rig: Rig) -> None:
    job = await rig.run("shout", message="no")
    assert (job["state"], job["attempt"], job["maxAttempts"]) == ("failed", 1, 1)


async def test_a_retried_job_gets_a_whole_new_round(rig: Rig) -> None:
    job_id = await rig.schedule("fail_twice")
    await rig.attempted(job_id, 1)
    await rig.cancel(job_id)
    revived = await rig.engine.retry(job_id)
    assert revived.max_attempts == 1 + 3
    job = await rig.attempted(job_id, 2)
    assert job["timeline"][-1]["nextRunAt"] - job["timeline"][-1]["at"] == HALF_AN_HOUR


@pytest.mark.parametrize("failed", range(1, 20))
def test_jitter_stays_within_its_share(failed: int) -> None:
    policy = Retry(retries=19, base_ms=1_000, factor=2, jitter=0.1, max_ms=60_000)
    exact = min(1_000 * 2 ** (failed - 1), 60_000)
    lowest, highest = (policy.delay_ms(failed, iter([share]).__next__) for share in (0.0, 1.0))
    assert (lowest, highest) == (round(exact * 0.9), round(exact * 1.1))


@pytest.mark.parametrize(
    ("kind", "number", "times_lost", "move"),
    [
        (FunctionKind.ACTION, 1, 1, Move.LOSE),
        (FunctionKind.ACTION, 2, 1, Move.FAIL),
        (FunctionKind.MUTATION, 2, 1, Move.LOSE),
        (FunctionKind.MUTATION, 2, 2, Move.LOSE),
        (FunctionKind.MUTATION, 3, 3, Move.FAIL),
        (FunctionKind.ACTION, 1, 3, Move.FAIL),
        (None, 2, 1, Move.FAIL),
    ],
)
async def test_what_becomes_of_a_lost_worker_s_job(
    idle: Rig, kind: FunctionKind | None, number: int, times_lost: int, move: Move
) -> None:
    job = await idle.job(await idle.schedule("wait_for_ever"))
    outcome = Attempt.of({**job, "attempt": number}, 9).lost(kind, times_lost, "w")
    assert (outcome.move, outcome.error and outcome.error["name"]) == (move, "WorkerLost")
