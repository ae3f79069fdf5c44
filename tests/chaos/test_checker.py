"""The chaos checker detects violations: each history here has exactly one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.chaos.checker import CHECKS, formatted, violations
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind, Outcome
from ostinato.jobs.cron_ledger import TickCounts, TickOutcome
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.records import Cause, CauseKind, JobError
from tests.chaos.call_violations import CORRECT, VIOLATIONS_OF_CALLS
from tests.chaos.histories import (
    BEGIN,
    CRON,
    JOBS,
    LOST,
    PLANNED,
    SECOND,
    SUCCEEDED,
    TICKS,
    VALID,
    child_job,
    make_job,
    make_operation,
    make_tick,
    schedule_call,
    tick_job,
    with_effect,
    with_job,
    with_notes,
    with_operation,
    without_effects,
    without_job,
    without_notes,
)

LOST_JOB = "an acknowledged job is lost"
UNEXPECTED_JOB = "a call created an unexpected job"
KEY = "a key gave two jobs"
REJECTION = "a call was rejected without a reason"
CANCELLATION = "a cancellation was lost or not requested"
TIMELINE = "a timeline is illegal"
UNFINISHED = "a job has not ended"
PURGE_TIME = "a job has a wrong purge time"
EFFECT = "an effect is doubled or missing"
COUNTER = "a counter is wrong"
CHILDREN = "a job scheduled too many or too few jobs"
ACTION = "an action ran too often"
ENDING = "a job ended wrongly"
TICK = "a tick is doubled or missing"
UNEXPECTED_END = "a process ended by itself"
SLOW_RECOVERY = "recovery took too long"

TIMED_OUT = JobError(name="TimeoutError", message="")
RUNNING = make_job("unknown", (TransitionName.CLAIM,))
WITHOUT_CALL = make_job("x", cause=Cause(kind=CauseKind.API))
LOST_ONCE = make_job("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", LOST)
LOST_OFTEN = make_job(
    "unknown", (TransitionName.CLAIM, TransitionName.RESCUE, *SUCCEEDED), error=LOST
)
CANCELED_WHILE_RUNNING = make_job(
    "enter", (TransitionName.CLAIM, TransitionName.REQUEST_CANCEL, TransitionName.SUCCEED)
)
ENDED_LATE = replace(JOBS["enter"], completed_at=BEGIN + timedelta(seconds=30.1))

VIOLATIONS: dict[str, tuple[str, Callable[[], History]]] = {
    "acknowledged job is missing": (LOST_JOB, lambda: without_job("enter")),
    "job has another function": (
        LOST_JOB,
        lambda: with_job(replace(JOBS["touch"], function_name="ledger.linger")),
    ),
    "job has another mark": (
        LOST_JOB,
        lambda: with_job(replace(JOBS["enter"], args={"mark": "else"})),
    ),
    "job has no key": (LOST_JOB, lambda: with_job(replace(JOBS["keyed"], key=None))),
    "call created two jobs": (
        UNEXPECTED_JOB,
        lambda: with_job(make_job("2", args={"mark": "enter"})),
    ),
    "rejected call created a job": (UNEXPECTED_JOB, lambda: with_job(make_job("clash"))),
    "job without a call": (UNEXPECTED_JOB, lambda: with_job(WITHOUT_CALL)),
    "key with two jobs": (
        KEY,
        lambda: with_operation(schedule_call(make_job("2", args={"mark": "keyed"}), key="k")),
    ),
    "key accepted with other arguments": (
        KEY,
        lambda: with_operation(schedule_call(make_job("x"), key="k")),
    ),
    "rejection without a reason": (
        REJECTION,
        lambda: with_operation(schedule_call(make_job("x"), Outcome.FAILED, "BAD_REQUEST")),
    ),
    "conflict without another call": (
        REJECTION,
        lambda: with_operation(schedule_call(make_job("x"), Outcome.FAILED, "CONFLICT", key="new")),
    ),
    "masked error": (
        REJECTION,
        lambda: with_operation(
            schedule_call(make_job("x"), Outcome.UNKNOWN, "INTERNAL_SERVER_ERROR")
        ),
    ),
    "lost cancellation of a pending job": (CANCELLATION, lambda: with_job(make_job("canceled"))),
    "lost cancellation of a running job": (
        CANCELLATION,
        lambda: with_operation(
            make_operation(Kind.CANCEL, {"jobId": "touch"}, Outcome.OK, {"state": "IN_PROGRESS"})
        ),
    ),
    "cancellation without a request": (CANCELLATION, lambda: with_job(CANCELED_WHILE_RUNNING)),
    "job ended twice": (
        TIMELINE,
        lambda: with_job(make_job("enter", (*SUCCEEDED, TransitionName.MANUAL_RETRY, *SUCCEEDED))),
    ),
    "job still running": (UNFINISHED, lambda: with_job(RUNNING)),
    "job purged too early": (PURGE_TIME, lambda: with_job(replace(JOBS["enter"], purge_at=BEGIN))),
    "failed job purged": (PURGE_TIME, lambda: with_job(replace(JOBS["fail"], purge_at=BEGIN))),
    "duplicate effect": (EFFECT, lambda: with_effect("enter")),
    "effect of an earlier attempt": (EFFECT, lambda: with_effect("stumble", attempt=1)),
    "lost effect": (EFFECT, lambda: without_effects("enter")),
    "effect of a failed job": (EFFECT, lambda: with_effect("refuse")),
    "effect of a canceled job": (EFFECT, lambda: with_effect("canceled")),
    "effect of a lost attempt": (EFFECT, lambda: with_job(LOST_OFTEN)),
    "effect without a job": (EFFECT, lambda: with_effect("nobody")),
    "lost increment of a counter": (COUNTER, lambda: replace(VALID, counters={"tally-0": 0})),
    "counter incremented twice": (COUNTER, lambda: replace(VALID, counters={"tally-0": 2})),
    "lost child of a mutation": (CHILDREN, lambda: without_job("stumble/now")),
    "duplicate child of a mutation": (CHILDREN, lambda: with_job(child_job("again", "stumble"))),
    "child of a failed job": (CHILDREN, lambda: with_job(child_job("orphan", "refuse"))),
    "lost child of an action": (CHILDREN, lambda: without_job("delegate/now")),
    "duplicate child of an action": (CHILDREN, lambda: with_job(child_job("again", "delegate"))),
    "attempt started twice": (ACTION, lambda: with_notes("linger", "start 2")),
    "attempt missing from the timeline": (ACTION, lambda: with_notes("linger", "start 3")),
    "action without retries started twice": (
        ACTION,
        lambda: replace(
            with_notes("touch", "start 2"),
            jobs={
                **JOBS,
                "touch": make_job(
                    "touch", (TransitionName.CLAIM, TransitionName.RESCUE, *SUCCEEDED), "touch"
                ),
            },
        ),
    ),
    "canceled action ran": (ACTION, lambda: with_notes("canceled", "start 1")),
    "success without an end note": (ACTION, lambda: without_notes("touch", "end")),
    "action without a job": (ACTION, lambda: with_notes("nobody", "start 1")),
    "unplanned failure": (
        ENDING,
        lambda: with_job(
            make_job("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", TIMED_OUT)
        ),
    ),
    "mutation failed after losing one worker": (ENDING, lambda: with_job(LOST_ONCE)),
    "failure with attempts left": (
        ENDING,
        lambda: with_job(
            make_job("fail", (TransitionName.CLAIM, TransitionName.FAIL), "fail", PLANNED)
        ),
    ),
    "success of a function that always fails": (
        ENDING,
        lambda: with_job(make_job("refuse", function="refuse")),
    ),
    "failure without a record": (ENDING, lambda: replace(VALID, failures=frozenset({"fail"}))),
    "record without a failure": (
        ENDING,
        lambda: replace(VALID, failures=VALID.failures | {"enter"}),
    ),
    "lost tick": (TICK, lambda: without_job("tick-1")),
    "duplicate tick": (TICK, lambda: with_job(replace(tick_job(1), id="again"))),
    "tick at another time": (TICK, lambda: with_job(tick_job(7))),
    "skipped tick of a cron that may not skip": (
        TICK,
        lambda: replace(
            without_job("tick-1"),
            crons=[replace(CRON, tick_counts=TickCounts(ran=2, skipped=1))],
            cron_ticks=[TICKS[0], make_tick(1, outcome=TickOutcome.SKIPPED), TICKS[2]],
        ),
    ),
    "tick without a record": (TICK, lambda: replace(VALID, cron_ticks=TICKS[1:])),
    "tick with two records": (TICK, lambda: replace(VALID, cron_ticks=[*TICKS, TICKS[0]])),
    "record of another run": (
        TICK,
        lambda: replace(VALID, cron_ticks=[replace(TICKS[0], job_id="x"), *TICKS[1:]]),
    ),
    "wrong count of ticks": (
        TICK,
        lambda: replace(VALID, crons=[replace(CRON, tick_counts=TickCounts(ran=4))]),
    ),
    "missing cron": (TICK, lambda: replace(VALID, crons=[])),
    "cron not paused": (TICK, lambda: replace(VALID, crons=[replace(CRON, enabled=True)])),
    "worker ended unexpectedly": (
        UNEXPECTED_END,
        lambda: replace(VALID, unexpected_ends=["worker-1: ended by SIGSEGV"]),
    ),
    "job ended late": (SLOW_RECOVERY, lambda: with_job(ENDED_LATE)),
}


def test_correct_history_has_no_violation() -> None:
    assert violations(VALID) == {}


VIOLATIONS |= VIOLATIONS_OF_CALLS


@pytest.mark.parametrize("name", CORRECT)
def test_calls_that_took_effect_are_no_violation(name: str) -> None:
    assert violations(CORRECT[name]()) == {}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_checker_detects_each_violation(name: str) -> None:
    check, history = VIOLATIONS[name]
    found = violations(history())
    assert check in found, found
    assert check in formatted(found)


def test_every_check_detects_a_violation() -> None:
    assert {check for check, _ in VIOLATIONS.values()} == set(CHECKS)


def test_mutation_may_fail_after_losing_three_workers() -> None:
    transitions = (
        *(TransitionName.CLAIM, TransitionName.RESCUE) * 2,
        TransitionName.CLAIM,
        TransitionName.FAIL,
    )
    history = with_job(make_job("refuse", transitions, "refuse", LOST))
    assert violations(history) == {}


def test_outcome_rejection_may_fail_a_job_only_in_runs_that_inject_it() -> None:
    refused = JobError(name="OutcomeRefused", message="")
    job = make_job("touch", (TransitionName.CLAIM, TransitionName.FAIL), "touch", refused)
    history = replace(with_job(job), failures=VALID.failures | {"touch"})
    assert ENDING in violations(history)
    assert violations(replace(history, rejects_outcomes=True)) == {}


def test_call_with_unknown_outcome_may_or_may_not_have_created_its_job() -> None:
    history = without_job("unknown")
    effects = [effect for effect in history.effects if effect.job != "unknown"]
    assert violations(replace(history, effects=effects)) == {}


def test_jobs_scheduled_by_a_canceled_job_may_be_created_canceled() -> None:
    born = replace(
        child_job("late", "canceled"), state=make_job("x", (TransitionName.CANCEL,)).state
    )
    history = with_job(replace(born, timeline=(replace(born.timeline[0], state=born.state),)))
    assert CANCELLATION not in violations(history)


def test_paused_cron_has_records_of_its_skipped_ticks() -> None:
    counts = TickCounts(ran=2, skipped=1)
    cron = replace(
        CRON, name="one after another", next_run_time=BEGIN + 4.5 * SECOND, tick_counts=counts
    )
    ticks = [replace(tick_job(0), id="tick-0"), replace(tick_job(3), id="tick-3")]
    kept = {name: job for name, job in JOBS.items() if not name.startswith("tick")}
    records = [make_tick(0), make_tick(1.5, outcome=TickOutcome.SKIPPED), make_tick(3)]
    history = replace(VALID, crons=[cron], cron_ticks=records)
    found = violations(replace(history, jobs={**kept, **{job.id: job for job in ticks}}))
    assert TICK not in found
