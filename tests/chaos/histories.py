"""Hand-made histories in which every guarantee holds; each test breaks one guarantee."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from benchmarks.chaos.history import Effect, History, Note
from benchmarks.chaos.operations import Answer, Kind, Operation, Outcome, Request
from ostinato.jobs.cron_ledger import CronTick, TickCounts, TickOrigin, TickOutcome, TickReason
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
    was_requested = False
    for name in transitions:
        before, at = events[-1], BEGIN + len(events) * SECOND
        stops = was_requested and TRANSITIONS[name].yields_to_cancel
        state = JobState.CANCELED if stops else TRANSITIONS[name].target
        was_requested = was_requested or name is TransitionName.REQUEST_CANCEL
        was_requested = was_requested and name is not TransitionName.MANUAL_RETRY
        event = JobEvent(
            seq=len(events) + 1,
            at=at,
            from_state=before.state,
            state=state,
            attempt=before.attempt + (name is TransitionName.CLAIM),
            worker_id="w",
            next_run_at=at if state is JobState.PENDING else None,
            error=error
            if name in (TransitionName.RETRY, TransitionName.FAIL, TransitionName.RESCUE)
            else None,
        )
        events.append(event)
    return tuple(events)


def make_job(
    job_id: str,
    transitions: Sequence[TransitionName] = SUCCEEDED,
    function: str = "enter",
    error: JobError | None = None,
    **changes: Any,
) -> Job:
    """Return a job after these transitions; its mark is its id unless `args` contains another."""
    events = timeline(transitions, error)
    last = events[-1]
    ended_at = last.at if last.state in FINAL_STATES else None
    kept_for = None if last.state is JobState.FAILED else timedelta(days=7)
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
        root_id=job_id,
        version=len(events),
        created_at=BEGIN,
        timeline=events,
        error=error if last.state is JobState.FAILED else None,
        completed_at=ended_at,
        purge_at=ended_at + kept_for if ended_at and kept_for else None,
    )
    return replace(job, **changes)


def child_job(job_id: str, parent: str) -> Job:
    return make_job(job_id, cause=Cause(kind=CauseKind.JOB, id=parent))


def tick_job(number: int) -> Job:
    """Return the job of the cron's tick after this number of seconds."""
    job = make_job(f"tick-{number}", function="tick", cause=Cause(kind=CauseKind.CRON, id="cron"))
    first = replace(job.timeline[0], next_run_at=BEGIN + number * SECOND)
    started = replace(job.timeline[1], at=BEGIN + (number + 1) * SECOND)
    return replace(job, timeline=(first, started, *job.timeline[2:]))


def make_operation(
    kind: Kind, input_: dict[str, Any], outcome: Outcome, value: dict[str, Any] | None = None
) -> Operation:
    return Operation(
        number=next(_numbers), request=Request(kind, input_), answer=Answer(outcome, value or {})
    )


def schedule_call(
    job: Job, outcome: Outcome = Outcome.OK, code: str = "", **fields: Any
) -> Operation:
    """Return the call that schedules a job, with its outcome."""
    input_ = {"functionName": job.function_name, "args": job.args, **fields}
    value = {"scheduled": job.id} if outcome is Outcome.OK else {"code": code, "message": ""}
    return make_operation(Kind.SCHEDULE, input_, outcome, value)


def make_notes(job_id: str, *texts: str) -> list[Note]:
    """Return notes for texts such as `start 1`."""
    words = [text.split() for text in texts]
    return [Note(job=job_id, attempt=int(attempt), event=event) for event, attempt in words]


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
    tick_counts=TickCounts(ran=3),
)


def make_tick(number: float, count: int = 1, outcome: TickOutcome = TickOutcome.RAN) -> CronTick:
    """Return the record of ticks of the cron, each a second after the one before."""
    did_run = outcome is TickOutcome.RAN
    return CronTick(
        id=f"record-{number}",
        cron_id=CRON.id,
        owner="ada",
        outcome=outcome,
        scheduled_time=BEGIN + number * SECOND,
        last_scheduled_time=BEGIN + (number + count - 1) * SECOND,
        tick_count=count,
        origin=TickOrigin.SCHEDULE,
        recorded_at=BEGIN,
        version=1,
        reason=None if did_run else TickReason.OVERLAP,
        job_id=f"tick-{number}" if did_run else None,
    )


TICKS = [make_tick(number) for number in range(3)]
JOBS = {
    job.id: job
    for job in (
        make_job("enter"),
        make_job("tally", function="tally", args={"mark": "tally", "name": "tally-0"}),
        make_job(
            "stumble", (TransitionName.CLAIM, TransitionName.RETRY, *SUCCEEDED), "stumble", PLANNED
        ),
        child_job("stumble/now", "stumble"),
        make_job("refuse", (TransitionName.CLAIM, TransitionName.FAIL), "refuse", PLANNED),
        make_job("touch", function="touch"),
        make_job(
            "linger", (TransitionName.CLAIM, TransitionName.RESCUE, *SUCCEEDED), "linger", LOST
        ),
        make_job("fail", FAILED, "fail", PLANNED),
        make_job("delegate", function="delegate"),
        child_job("delegate/now", "delegate"),
        make_job("keyed", key="k"),
        make_job("canceled", (TransitionName.CANCEL,)),
        make_job("unknown"),
        *(tick_job(number) for number in range(3)),
    )
}
OPERATIONS = (
    *(schedule_call(JOBS[name]) for name in ("enter", "tally", "stumble", "refuse", "touch")),
    *(schedule_call(JOBS[name]) for name in ("linger", "fail", "delegate", "canceled")),
    schedule_call(JOBS["keyed"], key="k"),
    schedule_call(JOBS["keyed"], key="k"),
    schedule_call(make_job("clash"), Outcome.FAILED, "CONFLICT", key="k"),
    schedule_call(JOBS["unknown"], Outcome.UNKNOWN, "UNAVAILABLE"),
    schedule_call(make_job("unknown and not created"), Outcome.UNKNOWN),
    schedule_call(make_job("not sent"), Outcome.FAILED),
    make_operation(Kind.CANCEL, {"jobId": "canceled"}, Outcome.OK, {"state": "CANCELED"}),
    make_operation(
        Kind.CANCEL, {"jobId": "enter"}, Outcome.FAILED, {"code": "PRECONDITION_FAILED"}
    ),
    make_operation(
        Kind.REGISTER_CRON,
        {"name": "every tick"},
        Outcome.OK,
        {"registered": "cron", "nextRunTime": "2030-01-01T00:00:00.000Z"},
    ),
    make_operation(Kind.PAUSE_CRON, {"cronId": "cron"}, Outcome.OK),
)
JOBS_WITH_EFFECTS = ("enter", "tally", "stumble", "stumble/now", "delegate/now", "keyed", "unknown")
VALID = History(
    last_fault_at=BEGIN,
    operations=OPERATIONS,
    jobs=JOBS,
    effects=[
        Effect(job=name, attempt=JOBS[name].attempt)
        for name in (*JOBS_WITH_EFFECTS, "tick-0", "tick-1", "tick-2")
    ],
    counters={"tally-0": 1, "tally-1": 0},
    failures=frozenset({"refuse", "fail"}),
    crons=[CRON],
    cron_ticks=TICKS,
    notes=[
        *make_notes("touch", "start 1", "end 1"),
        *make_notes("linger", "start 1", "start 2", "end 2"),
        *make_notes("fail", "start 1", "start 2"),
        *make_notes("delegate", "start 1", "end 1"),
        Note(job="delegate", attempt=1, event="scheduled", scheduled="delegate/now"),
    ],
)


def with_job(job: Job) -> History:
    """Return the valid history with one job added or replaced."""
    return replace(VALID, jobs={**JOBS, job.id: job})


def without_job(job_id: str) -> History:
    return replace(VALID, jobs={name: job for name, job in JOBS.items() if name != job_id})


def with_operation(operation: Operation) -> History:
    return replace(VALID, operations=[*OPERATIONS, operation])


def with_effect(job_id: str, attempt: int = 1) -> History:
    return replace(VALID, effects=[*VALID.effects, Effect(job=job_id, attempt=attempt)])


def without_effects(job_id: str) -> History:
    return replace(VALID, effects=[effect for effect in VALID.effects if effect.job != job_id])


def with_notes(job_id: str, *texts: str) -> History:
    return replace(VALID, notes=[*VALID.notes, *make_notes(job_id, *texts)])


def without_notes(job_id: str, event: str) -> History:
    kept = [note for note in VALID.notes if (note.job, note.event) != (job_id, event)]
    return replace(VALID, notes=kept)
