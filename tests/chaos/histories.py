"""Hand-made histories in which every guarantee holds; each test breaks one guarantee."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from benchmarks.chaos.history import Effect, History, Note
from benchmarks.chaos.operations import Answer, Answered, Kind, Operation, Request
from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, TransitionName
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cause,
    CauseKind,
    Cron,
    IntervalSchedule,
    Job,
    JobError,
    JobEvent,
    JobState,
    OverlapPolicy,
)

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
API = Cause(kind=CauseKind.API)
PLANNED = JobError(name="Planned", message="as planned")
LOST = JobError(name="WorkerLost", message="gone")
SUCCEEDED = (TransitionName.CLAIM, TransitionName.SUCCEED)
FAILED = (TransitionName.CLAIM, TransitionName.RETRY, TransitionName.CLAIM, TransitionName.FAIL)

_numbers = count(1)


def timeline(
    transitions: Iterable[TransitionName], error: JobError | None = None
) -> tuple[JobEvent, ...]:
    """Return the timeline of a new job that makes these transitions, one a second."""
    events = [JobEvent(seq=1, at=BEGIN, from_state=None, state=JobState.PENDING, attempt=0)]
    events[0] = replace(events[0], next_run_at=BEGIN)
    was_asked = False
    for name in transitions:
        before, at = events[-1], BEGIN + len(events) * SECOND
        stops = was_asked and TRANSITIONS[name].yields_to_cancel
        state = JobState.CANCELED if stops else TRANSITIONS[name].target
        was_asked = was_asked or name is TransitionName.REQUEST_CANCEL
        event = JobEvent(
            seq=len(events) + 1,
            at=at,
            from_state=before.state,
            state=state,
            attempt=before.attempt + (name is TransitionName.CLAIM),
            worker_id="w",
            next_run_at=at if state is JobState.PENDING else None,
            error=error
            if name in (TransitionName.RETRY, TransitionName.FAIL, TransitionName.LOSE)
            else None,
        )
        events.append(event)
    return tuple(events)


def made(
    job_id: str,
    transitions: Sequence[TransitionName] = SUCCEEDED,
    function: str = "enter",
    error: JobError | None = None,
    **changes: Any,
) -> Job:
    """Make a job after these transitions; its mark is its id unless `args` has another."""
    events = timeline(transitions, error)
    last = events[-1]
    ended_at = last.at if last.state in FINAL_STATES else None
    kept = None if last.state is JobState.FAILED else timedelta(days=7)
    job = Job(
        id=job_id,
        function_name=f"ledger.{function}",
        args={"mark": job_id},
        owner="ada",
        internal=False,
        state=last.state,
        scheduled_time=BEGIN,
        queue="default",
        priority=0,
        attempt=last.attempt,
        max_attempts=last.attempt,
        cause=API,
        version=len(events),
        created_at=BEGIN,
        timeline=events,
        error=error if last.state is JobState.FAILED else None,
        completed_at=ended_at,
        purge_at=ended_at + kept if ended_at and kept else None,
    )
    return replace(job, **changes)


def child(job_id: str, parent: str) -> Job:
    return made(job_id, cause=Cause(kind=CauseKind.JOB, id=parent))


def tick(number: int) -> Job:
    """Make the run of the cron's tick after so many seconds."""
    job = made(f"tick-{number}", function="tick", cause=Cause(kind=CauseKind.CRON, id="cron"))
    first = replace(job.timeline[0], next_run_at=BEGIN + number * SECOND)
    started = replace(job.timeline[1], at=BEGIN + (number + 1) * SECOND)
    return replace(job, timeline=(first, started, *job.timeline[2:]))


def asked(
    kind: Kind, given: dict[str, Any], answered: Answered, value: dict[str, Any] | None = None
) -> Operation:
    return Operation(
        number=next(_numbers), request=Request(kind, given), answer=Answer(answered, value or {})
    )


def scheduled(
    job: Job, answered: Answered = Answered.OK, code: str = "", **given: Any
) -> Operation:
    """Make the call that led, or might have led, to a job."""
    input_ = {"functionName": job.function_name, "args": job.args, **given}
    value = {"scheduled": job.id} if answered is Answered.OK else {"code": code, "message": ""}
    return asked(Kind.SCHEDULE, input_, answered, value)


def notes(job_id: str, *said: str) -> list[Note]:
    """Make notes of words such as `start 1`."""
    words = [one.split() for one in said]
    return [Note(job=job_id, attempt=int(attempt), what=what) for what, attempt in words]


CRON = Cron(
    id="cron",
    name="every tick",
    function_name="ledger.tick",
    args={},
    schedule=IntervalSchedule(ms=1_000),
    owner="ada",
    enabled=False,
    next_run_time=BEGIN + 3 * SECOND,
    overlap=OverlapPolicy.ALLOW,
    catch_up=CatchUpPolicy.ALL,
    version=4,
)
JOBS = {
    job.id: job
    for job in (
        made("enter"),
        made("tally", function="tally", args={"mark": "tally", "name": "tally-0"}),
        made(
            "stumble", (TransitionName.CLAIM, TransitionName.RETRY, *SUCCEEDED), "stumble", PLANNED
        ),
        child("stumble/now", "stumble"),
        made("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", PLANNED),
        made("touch", function="touch"),
        made("linger", (TransitionName.CLAIM, TransitionName.LOSE, *SUCCEEDED), "linger", LOST),
        made("fail", FAILED, "fail", PLANNED),
        made("delegate", function="delegate"),
        child("delegate/now", "delegate"),
        made("keyed", key="k"),
        made("canceled", (TransitionName.CANCEL,)),
        made("unknown"),
        *(tick(number) for number in range(3)),
    )
}
OPERATIONS = (
    *(scheduled(JOBS[name]) for name in ("enter", "tally", "stumble", "refuse", "touch")),
    *(scheduled(JOBS[name]) for name in ("linger", "fail", "delegate", "canceled")),
    scheduled(JOBS["keyed"], key="k"),
    scheduled(JOBS["keyed"], key="k"),
    scheduled(made("clash"), Answered.FAILED, "CONFLICT", key="k"),
    scheduled(JOBS["unknown"], Answered.UNKNOWN, "UNAVAILABLE"),
    scheduled(made("never made"), Answered.UNKNOWN),
    scheduled(made("never sent"), Answered.FAILED),
    asked(Kind.CANCEL, {"jobId": "canceled"}, Answered.OK, {"state": "CANCELED"}),
    asked(Kind.CANCEL, {"jobId": "enter"}, Answered.FAILED, {"code": "PRECONDITION_FAILED"}),
    asked(
        Kind.REGISTER_CRON,
        {"name": "every tick"},
        Answered.OK,
        {"registered": "cron", "nextRunTime": "2030-01-01T00:00:00.000Z"},
    ),
    asked(Kind.PAUSE_CRON, {"cronId": "cron"}, Answered.OK),
)
LEFT_EFFECTS = ("enter", "tally", "stumble", "stumble/now", "delegate/now", "keyed", "unknown")
HEALTHY = History(
    last_fault_at=BEGIN,
    operations=OPERATIONS,
    jobs=JOBS,
    effects=[
        Effect(job=name, attempt=JOBS[name].attempt)
        for name in (*LEFT_EFFECTS, "tick-0", "tick-1", "tick-2")
    ],
    tallies={"tally-0": 1, "tally-1": 0},
    failures=frozenset({"refuse", "fail"}),
    crons=[CRON],
    notes=[
        *notes("touch", "start 1", "end 1"),
        *notes("linger", "start 1", "start 2", "end 2"),
        *notes("fail", "start 1", "start 2"),
        *notes("delegate", "start 1", "end 1"),
        Note(job="delegate", attempt=1, what="scheduled", scheduled="delegate/now"),
    ],
)


def with_job(job: Job) -> History:
    """Give the healthy history with one job added or replaced."""
    return replace(HEALTHY, jobs={**JOBS, job.id: job})


def without_job(job_id: str) -> History:
    return replace(HEALTHY, jobs={name: job for name, job in JOBS.items() if name != job_id})


def with_operation(operation: Operation) -> History:
    return replace(HEALTHY, operations=[*OPERATIONS, operation])


def with_effect(job_id: str, attempt: int = 1) -> History:
    return replace(HEALTHY, effects=[*HEALTHY.effects, Effect(job=job_id, attempt=attempt)])


def without_effects(job_id: str) -> History:
    return replace(HEALTHY, effects=[one for one in HEALTHY.effects if one.job != job_id])


def with_notes(job_id: str, *said: str) -> History:
    return replace(HEALTHY, notes=[*HEALTHY.notes, *notes(job_id, *said)])


def without_notes(job_id: str, what: str) -> History:
    kept = [one for one in HEALTHY.notes if (one.job, one.what) != (job_id, what)]
    return replace(HEALTHY, notes=kept)
