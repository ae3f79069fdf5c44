"""Actions start at most once per attempt; only the retry policy adds attempts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ostinato.jobs.lifecycle import MAX_DELAY_MS, TransitionName
from ostinato.jobs.mongo.claimed_jobs import claimed_job_from
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.retry import NO_RETRY, Retry, RetryAfter
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.stored_errors import stored_error
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.engine.functions import HALF_AN_HOUR_MS
from tests.engine.rig import Document, Rig, state_changes

NAIVE = datetime.fromisoformat("2030-01-01T00:00:00")
HALF_AN_HOUR = timedelta(milliseconds=HALF_AN_HOUR_MS)
MILLISECOND = timedelta(milliseconds=1)


def starts(job: Document) -> list[timedelta]:
    """Return when the attempts of a job started, since the start of the test."""
    return [event["at"] - START for event in job["timeline"] if event["state"] == "inProgress"]


async def test_retries_start_at_exact_times_and_every_attempt_is_on_the_timeline(
    held_rig: Rig, ostinato: Harness
) -> None:
    job_id = await held_rig.schedule("fail_twice")
    await ostinato.advance(days=1)
    job = await held_rig.job(job_id)
    assert starts(job) == [timedelta(0), HALF_AN_HOUR, 3 * HALF_AN_HOUR]
    errors = [event["error"]["message"] for event in job["timeline"] if event.get("error")]
    assert errors == ["attempt 1", "attempt 2"]
    again = [("pending", "inProgress"), ("inProgress", "pending")]
    expected = [(None, "pending"), *again * 2, again[0], ("inProgress", "success")]
    assert state_changes(job) == expected
    assert (job["result"], job["attempt"], job.get("error")) == ("at last", 3, None)
    assert await held_rig.all("failures") == []


async def test_every_event_has_its_attempt_and_worker(rig: Rig) -> None:
    job_id = await rig.schedule("fail_twice")
    for attempt in (1, 2):
        await rig.wait_for_retry(job_id, attempt)
        await rig.engine.advance(attempt * HALF_AN_HOUR_MS)
    job = await rig.wait_until_ended(job_id)
    (worker,) = await rig.all("workers")
    logged = [(event["attempt"], event.get("worker")) for event in job["timeline"]]
    assert logged == [(0, None), *((attempt, worker["_id"]) for attempt in (1, 1, 2, 2, 3, 3))]


async def test_attempt_does_not_start_before_its_time(held_rig: Rig, ostinato: Harness) -> None:
    job_id = await held_rig.schedule("fail_twice")
    await ostinato.advance(HALF_AN_HOUR - MILLISECOND)
    assert (await held_rig.job(job_id))["attempt"] == 1
    await ostinato.advance(MILLISECOND)
    assert (await held_rig.job(job_id))["attempt"] == 2


async def test_action_without_a_retry_policy_starts_once(rig: Rig) -> None:
    job = await rig.run("fail_with", message="no")
    assert (job["state"], job["attempt"], job["maxAttempts"]) == ("failed", 1, 1)


async def test_retried_job_gets_all_its_attempts_again(rig: Rig) -> None:
    job_id = await rig.schedule("fail_twice")
    await rig.wait_for_retry(job_id, 1)
    await rig.cancel(job_id)
    retried = await rig.engine.changes.retry(job_id)
    assert retried.max_attempts == 1 + 3
    job = await rig.wait_for_retry(job_id, 2)
    assert job["timeline"][-1]["nextRunAt"] - job["timeline"][-1]["at"] == HALF_AN_HOUR


@pytest.mark.parametrize(
    ("error", "state"),
    [("ConnectionError", "pending"), ("PermissionError", "failed"), ("ValueError", "failed")],
)
async def test_policy_selects_which_errors_are_retried(rig: Rig, error: str, state: str) -> None:
    job = await rig.wait_for_state(await rig.schedule("raise_named", error=error), state)
    if state == "pending":
        job = await rig.wait_for_retry(job["_id"], 1)
    assert (job["attempt"], job["error"]["name"]) == (1, error)
    assert len(await rig.all("failures")) == (state == "failed")


async def test_retry_after_milliseconds_sets_the_next_attempt(
    held_rig: Rig, ostinato: Harness
) -> None:
    job_id = await held_rig.schedule("request_retry", ms=90_001)
    await ostinato.advance(minutes=2)
    job = await held_rig.job(job_id)
    assert starts(job) == [timedelta(0), timedelta(milliseconds=90_001)]
    assert job["timeline"][2]["error"]["message"] == "429 Too Many Requests"
    assert (job["state"], job["attempt"]) == ("failed", 2)
    assert await held_rig.all("effects") == []


async def test_retry_after_a_datetime_sets_the_next_attempt(rig: Rig) -> None:
    when = (await rig.engine.now()) + timedelta(days=3, milliseconds=7)
    job = await rig.wait_for_retry(await rig.schedule("request_retry", at=when.isoformat()), 1)
    assert job["scheduledTime"] == job["timeline"][-1]["nextRunAt"] == when


async def test_retry_time_is_limited_to_now_and_five_years_ahead(rig: Rig) -> None:
    past = datetime(2001, 1, 1, tzinfo=UTC)
    job = await rig.run("request_retry", at=past.isoformat())
    assert (job["attempt"], job["scheduledTime"]) == (2, past)
    far = datetime(9000, 1, 1, tzinfo=UTC)
    job = await rig.wait_for_retry(await rig.schedule("request_retry", at=far.isoformat()), 1)
    wait = job["scheduledTime"] - job["timeline"][-1]["at"]
    assert wait == timedelta(milliseconds=MAX_DELAY_MS)


@pytest.mark.parametrize("when", [-1, MAX_DELAY_MS + 1, NAIVE, "soon", 1.5, True])
def test_invalid_retry_time_is_rejected(when: object) -> None:
    with pytest.raises(ValueError, match=r"time zone|must be a datetime"):
        RetryAfter(when)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("boundary", "hours"),
    [(datetime(9999, 12, 31, 23, tzinfo=UTC), -2), (datetime(1, 1, 1, tzinfo=UTC), 2)],
)
def test_retry_time_without_a_utc_date_becomes_the_nearest_date(
    boundary: datetime, hours: int
) -> None:
    when = RetryAfter(boundary.replace(tzinfo=timezone(timedelta(hours=hours)))).when
    assert isinstance(when, datetime)
    assert abs(when - boundary) <= timedelta(days=1)


async def test_retry_time_that_becomes_invalid_fails_the_job(rig_without_worker: Rig) -> None:
    (job,) = await rig_without_worker.claim(await rig_without_worker.schedule("request_retry"))
    retry_after = RetryAfter(1)
    retry_after.when = 0.5  # type: ignore[assignment]
    outcome = Attempt(job, 9).outcome_of_error(
        stored_error("RetryAfter", ""), lambda: 0.5, retry_after
    )
    assert outcome.transition is TransitionName.FAIL
    assert outcome.error is not None
    assert "milliseconds, got 0.5" in outcome.error["message"]


def test_retry_policy_considers_every_error_of_an_exception_group() -> None:
    policy = Retry(retry_on=(OSError,), give_up_on=(PermissionError,))
    inner = ExceptionGroup("inner", [ConnectionError()])
    assert policy.covers(ExceptionGroup("all", [OSError(), inner, RetryAfter(1)]))
    assert not policy.covers(ExceptionGroup("one other", [OSError(), ValueError()]))
    assert not policy.covers(ExceptionGroup("one not to retry", [inner, PermissionError()]))
    assert NO_RETRY.covers(SystemExit(3))


def test_retry_policy_accepts_only_exception_classes() -> None:
    with pytest.raises(ValueError, match="only exception classes"):
        Retry(give_up_on=("ConnectionError",))  # type: ignore[arg-type]


POLICIES = st.builds(
    Retry,
    retries=st.integers(0, 99),
    base_ms=st.integers(0, 10_000_000),
    factor=st.floats(1, 100),
    jitter=st.floats(0, 1),
    max_ms=st.integers(0, 10_000_000_000),
)


@given(policy=POLICIES, failed=st.integers(1, 99), chance=st.floats(0, 1, exclude_max=True))
def test_delays_are_exact_capped_and_within_their_jitter(
    policy: Retry, failed: int, chance: float
) -> None:
    uncapped = policy.base_ms * Fraction(policy.factor) ** (failed - 1)
    exact = min(uncapped, Fraction(policy.max_ms))
    delay = policy.delay_ms(failed, lambda: chance)
    assert abs(delay - exact) <= exact * Fraction(policy.jitter) + 1
    assert abs(policy.delay_ms(failed, lambda: 0.5) - exact) <= 1
    assert 0 <= delay <= policy.max_ms * (1 + policy.jitter) + 1


@pytest.mark.parametrize("failed", range(1, 20))
def test_jitter_stays_within_its_fraction(failed: int) -> None:
    policy = Retry(retries=19, base_ms=1_000, factor=2, jitter=0.1, max_ms=60_000)
    exact = min(1_000 * 2 ** (failed - 1), 60_000)
    lowest, highest = (policy.delay_ms(failed, iter([share]).__next__) for share in (0.0, 1.0))
    assert (lowest, highest) == (round(exact * 0.9), round(exact * 1.1))


@pytest.mark.parametrize(
    ("kind", "number", "times_lost", "name"),
    [
        (FunctionKind.ACTION, 1, 1, TransitionName.RESCUE),
        (FunctionKind.ACTION, 2, 1, TransitionName.FAIL),
        (FunctionKind.MUTATION, 2, 1, TransitionName.RESCUE),
        (FunctionKind.MUTATION, 2, 2, TransitionName.RESCUE),
        (FunctionKind.MUTATION, 3, 3, TransitionName.FAIL),
        (FunctionKind.ACTION, 1, 3, TransitionName.FAIL),
        (None, 2, 1, TransitionName.FAIL),
    ],
)
async def test_lost_worker_outcome_depends_on_the_function_kind_and_attempts(
    rig_without_worker: Rig,
    kind: FunctionKind | None,
    number: int,
    times_lost: int,
    name: TransitionName,
) -> None:
    job = await rig_without_worker.job(await rig_without_worker.schedule("wait_forever"))
    attempt = Attempt(claimed_job_from({**job, "attempt": number}), 9)
    outcome = attempt.outcome_of_lost_worker(kind, times_lost, "w")
    assert (outcome.transition, outcome.error and outcome.error["name"]) == (name, "WorkerLost")


async def test_job_of_an_unknown_function_fails_and_the_function_is_logged_once(rig: Rig) -> None:
    known = await rig.build_job("echo", {"value": 1})
    unknown = replace(known, function=replace(known.function, name="functions.gone"))
    with capture_logs() as logs:
        for _ in range(2):
            job = await rig.wait_until_ended((await rig.engine.schedule(unknown)).id)
    assert job["error"]["name"] == "UnknownFunction"
    (line,) = [line for line in logs if line["event"] == "function.unknown"]
    assert (line["function"], line["reason"]) == ("functions.gone", job["error"]["message"])
    assert "is OSTINATO_FUNCTIONS the same for the API and the workers?" in line["reason"]


async def test_job_of_an_unknown_function_is_retried_by_its_policy(rig: Rig) -> None:
    known = await rig.build_job("echo", {"value": 1})
    retry = Retry(retries=1, base_ms=1)
    unknown = replace(known, function=replace(known.function, name="functions.gone", retry=retry))
    job = await rig.wait_until_ended((await rig.engine.schedule(unknown)).id)
    assert (job["attempt"], job["error"]["name"]) == (2, "UnknownFunction")
