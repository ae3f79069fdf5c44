"""The chaos checker detects violations: each history here has exactly one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.chaos.checker import CHECKS, in_words, violations
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Answered, Kind
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.records import Cause, CauseKind, JobError
from tests.chaos.histories import (
    BEGIN,
    CRON,
    HEALTHY,
    JOBS,
    LOST,
    PLANNED,
    SECOND,
    SUCCEEDED,
    asked,
    child,
    made,
    scheduled,
    tick,
    with_effect,
    with_job,
    with_notes,
    with_operation,
    without_effects,
    without_job,
    without_notes,
)

LOST_JOB = "an acknowledged job is lost"
TOO_MANY = "a call was answered by more than it asked"
KEY = "a key gave two jobs"
REFUSED = "a call was refused without a reason"
CANCELLATION = "a cancellation was not kept"
TIMELINE = "a timeline is illegal"
UNDONE = "a job is undone"
KEPT = "a job is not kept"
EFFECT = "an effect is doubled or missing"
COUNTER = "a counter is wrong"
CHILDREN = "a job scheduled too much or too little"
ACTION = "an action ran too often"
ENDING = "a job ended wrongly"
TICK = "a tick is doubled or missing"
DEATH = "a process ended by itself"
LATE = "it took too long"

BAD = Answered.FAILED
TIMED_OUT = JobError(name="TimeoutError", message="")
RUNNING = made("unknown", (TransitionName.CLAIM,))
OF_NOBODY = made("x", cause=Cause(kind=CauseKind.API))
LOST_ONCE = made("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", LOST)
LOST_OFTEN = made("unknown", (TransitionName.CLAIM, TransitionName.LOSE, *SUCCEEDED), error=LOST)
STOPPED = made(
    "enter", (TransitionName.CLAIM, TransitionName.REQUEST_CANCEL, TransitionName.SUCCEED)
)
ENDED_LATE = replace(JOBS["enter"], completed_at=BEGIN + timedelta(seconds=30.1))

BROKEN: dict[str, tuple[str, Callable[[], History]]] = {
    "an acknowledged job that is gone": (LOST_JOB, lambda: without_job("enter")),
    "a job of another function": (
        LOST_JOB,
        lambda: with_job(replace(JOBS["touch"], function_name="ledger.linger")),
    ),
    "a job with another mark": (
        LOST_JOB,
        lambda: with_job(replace(JOBS["enter"], args={"mark": "else"})),
    ),
    "a job without its key": (LOST_JOB, lambda: with_job(replace(JOBS["keyed"], key=None))),
    "two jobs of one call": (TOO_MANY, lambda: with_job(made("2", args={"mark": "enter"}))),
    "a job of a refused call": (TOO_MANY, lambda: with_job(made("clash"))),
    "a job of no call": (TOO_MANY, lambda: with_job(OF_NOBODY)),
    "a key with two jobs": (
        KEY,
        lambda: with_operation(scheduled(made("2", args={"mark": "keyed"}), key="k")),
    ),
    "a key for other arguments": (KEY, lambda: with_operation(scheduled(made("x"), key="k"))),
    "a refusal": (REFUSED, lambda: with_operation(scheduled(made("x"), BAD, "BAD_REQUEST"))),
    "a conflict without a rival": (
        REFUSED,
        lambda: with_operation(scheduled(made("x"), BAD, "CONFLICT", key="new")),
    ),
    "a masked error": (
        REFUSED,
        lambda: with_operation(scheduled(made("x"), Answered.UNKNOWN, "INTERNAL_SERVER_ERROR")),
    ),
    "a cancellation that was forgotten": (CANCELLATION, lambda: with_job(made("canceled"))),
    "a stop that was forgotten": (
        CANCELLATION,
        lambda: with_operation(
            asked(Kind.CANCEL, {"jobId": "touch"}, Answered.OK, {"state": "IN_PROGRESS"})
        ),
    ),
    "a cancellation by nobody": (CANCELLATION, lambda: with_job(STOPPED)),
    "a job that ended twice": (
        TIMELINE,
        lambda: with_job(made("enter", (*SUCCEEDED, TransitionName.REVIVE, *SUCCEEDED))),
    ),
    "a job that still runs": (UNDONE, lambda: with_job(RUNNING)),
    "a job that goes at once": (KEPT, lambda: with_job(replace(JOBS["enter"], purge_at=BEGIN))),
    "a failure that goes": (KEPT, lambda: with_job(replace(JOBS["fail"], purge_at=BEGIN))),
    "a doubled effect": (EFFECT, lambda: with_effect("enter")),
    "an effect of a stale attempt": (EFFECT, lambda: with_effect("stumble", attempt=1)),
    "a lost effect": (EFFECT, lambda: without_effects("enter")),
    "an effect of a failed job": (EFFECT, lambda: with_effect("refuse")),
    "an effect of a canceled job": (EFFECT, lambda: with_effect("canceled")),
    "an effect of an attempt that was lost": (EFFECT, lambda: with_job(LOST_OFTEN)),
    "an effect of no job": (EFFECT, lambda: with_effect("nobody")),
    "a counter that lost a step": (COUNTER, lambda: replace(HEALTHY, tallies={"tally-0": 0})),
    "a counter raised twice": (COUNTER, lambda: replace(HEALTHY, tallies={"tally-0": 2})),
    "a lost child": (CHILDREN, lambda: without_job("stumble/now")),
    "a doubled child": (CHILDREN, lambda: with_job(child("again", "stumble"))),
    "a child of a failed job": (CHILDREN, lambda: with_job(child("orphan", "refuse"))),
    "a lost child of an action": (CHILDREN, lambda: without_job("delegate/now")),
    "a doubled child of an action": (CHILDREN, lambda: with_job(child("again", "delegate"))),
    "an attempt that began twice": (ACTION, lambda: with_notes("linger", "start 2")),
    "an attempt of nobody": (ACTION, lambda: with_notes("linger", "start 3")),
    "an action that began again": (
        ACTION,
        lambda: replace(
            with_notes("touch", "start 2"),
            jobs={
                **JOBS,
                "touch": made(
                    "touch", (TransitionName.CLAIM, TransitionName.LOSE, *SUCCEEDED), "touch"
                ),
            },
        ),
    ),
    "a canceled action that ran": (ACTION, lambda: with_notes("canceled", "start 1")),
    "a success without an end": (ACTION, lambda: without_notes("touch", "end")),
    "an action without a job": (ACTION, lambda: with_notes("nobody", "start 1")),
    "a failure that nobody planned": (
        ENDING,
        lambda: with_job(
            made("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", TIMED_OUT)
        ),
    ),
    "a mutation that lost one worker": (ENDING, lambda: with_job(LOST_ONCE)),
    "a failure with attempts left": (
        ENDING,
        lambda: with_job(
            made("fail", (TransitionName.CLAIM, TransitionName.FAIL), "fail", PLANNED)
        ),
    ),
    "an impossible success": (ENDING, lambda: with_job(made("refuse", function="refuse"))),
    "a failure without a record": (ENDING, lambda: replace(HEALTHY, failures=frozenset({"fail"}))),
    "a record without a failure": (
        ENDING,
        lambda: replace(HEALTHY, failures=HEALTHY.failures | {"enter"}),
    ),
    "a lost tick": (TICK, lambda: without_job("tick-1")),
    "a doubled tick": (TICK, lambda: with_job(replace(tick(1), id="again"))),
    "a tick of another time": (TICK, lambda: with_job(tick(7))),
    "a tick that was skipped": (
        TICK,
        lambda: replace(without_job("tick-1"), crons=[replace(CRON, skipped_ticks=1)]),
    ),
    "a cron that is gone": (TICK, lambda: replace(HEALTHY, crons=[])),
    "a cron that goes on": (TICK, lambda: replace(HEALTHY, crons=[replace(CRON, enabled=True)])),
    "a worker that died": (DEATH, lambda: replace(HEALTHY, deaths=["worker-1: ended by SIGSEGV"])),
    "a job that ended late": (LATE, lambda: with_job(ENDED_LATE)),
}


def test_correct_history_has_no_violation() -> None:
    assert violations(HEALTHY) == {}


@pytest.mark.parametrize("what", BROKEN)
def test_checker_detects_each_violation(what: str) -> None:
    check, history = BROKEN[what]
    found = violations(history())
    assert check in found, found
    assert check in in_words(found)


def test_every_check_detects_a_violation() -> None:
    assert {check for check, _ in BROKEN.values()} == set(CHECKS)


def test_mutation_may_fail_after_losing_three_workers() -> None:
    transitions = (
        *(TransitionName.CLAIM, TransitionName.LOSE) * 2,
        TransitionName.CLAIM,
        TransitionName.FAIL,
    )
    history = with_job(made("refuse", transitions, "refuse", LOST))
    assert violations(history) == {}


def test_outcome_rejection_may_fail_a_job_only_in_runs_that_inject_it() -> None:
    refused = JobError(name="OutcomeRefused", message="")
    job = made("touch", (TransitionName.CLAIM, TransitionName.FAIL), "touch", refused)
    history = replace(with_job(job), failures=HEALTHY.failures | {"touch"})
    assert ENDING in violations(history)
    assert violations(replace(history, completions_were_refused=True)) == {}


def test_call_with_unknown_outcome_may_or_may_not_have_created_its_job() -> None:
    history = without_job("unknown")
    effects = [one for one in history.effects if one.job != "unknown"]
    assert violations(replace(history, effects=effects)) == {}


def test_jobs_scheduled_by_a_canceled_job_may_be_created_canceled() -> None:
    born = replace(child("late", "canceled"), state=made("x", (TransitionName.CANCEL,)).state)
    history = with_job(replace(born, timeline=(replace(born.timeline[0], state=born.state),)))
    assert CANCELLATION not in violations(history)


def test_paused_cron_counts_its_skipped_ticks() -> None:
    cron = replace(CRON, name="one after another", next_run_time=BEGIN + 4.5 * SECOND)
    ticks = [replace(tick(0), id="tick-0"), replace(tick(3), id="tick-3")]
    kept = {name: job for name, job in JOBS.items() if not name.startswith("tick")}
    history = replace(HEALTHY, crons=[replace(cron, skipped_ticks=1)])
    found = violations(replace(history, jobs={**kept, **{one.id: one for one in ticks}}))
    assert TICK not in found
