"""Histories with wrong retries, due times, bulk actions and calls for crons; each has one
violation."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from benchmarks.chaos.cron_load import SET
from benchmarks.chaos.expectations import CHANGED
from benchmarks.chaos.history import Effect, History
from benchmarks.chaos.operations import Kind, Operation, Outcome
from ostinato.jobs.bulk_actions import (
    BulkAction,
    BulkActionKind,
    BulkActionState,
    BulkOutcome,
    OutcomeCount,
)
from ostinato.jobs.cron_ledger import CronTick, TickCounts, TickOrigin, TickOutcome, TickReason
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.records import Job
from tests.chaos.histories import (
    BEGIN,
    CRON,
    JOBS,
    SECOND,
    SUCCEEDED,
    TICKS,
    VALID,
    make_job,
    make_operation,
    make_tick,
    schedule_call,
    tick_job,
    with_job,
    with_operation,
)

MANY: Final = "some jobs of one call are missing"
RETRY: Final = "a retry was lost or not requested"
DUE_TIME: Final = "a due time was lost or not requested"
BULK: Final = "a bulk action has not done what it counts"
LEDGER: Final = "a cron and its ledger differ"
CRON_CALL: Final = "a call for a cron was lost or done twice"

RETRIED: Final = make_job(
    "canceled", (TransitionName.CANCEL, TransitionName.MANUAL_RETRY, *SUCCEEDED)
)
MOVED: Final = make_job("touch", (TransitionName.RESCHEDULE, *SUCCEEDED), function="touch")


def of_job(kind: Kind, job_id: str, outcome: Outcome = Outcome.OK) -> Operation:
    return make_operation(kind, {"jobId": job_id}, outcome)


def of_cron(
    kind: Kind, outcome: Outcome = Outcome.OK, value: dict[str, Any] | None = None, **fields: Any
) -> Operation:
    return make_operation(kind, {"cronId": CRON.id, **fields}, outcome, value)


def bulk_call(kind: Kind = Kind.RETRY_JOBS, outcome: Outcome = Outcome.OK) -> Operation:
    value = {"bulkAction": "bulk"} if outcome is Outcome.OK else {}
    return make_operation(kind, {"tags": ["group"]}, outcome, value)


def bulk_action(
    kind: BulkActionKind, outcome: BulkOutcome, count: int = 1, **changes: Any
) -> BulkAction:
    action = BulkAction(
        id="bulk",
        owner="ada",
        kind=kind,
        state=BulkActionState.DONE,
        target_owner="ada",
        processed=count,
        version=2,
        created_at=BEGIN,
        outcomes=(OutcomeCount(outcome=outcome, count=count),),
    )
    return replace(action, **changes)


def history_of(job: Job, *operations: Operation, **changes: Any) -> History:
    """Return the valid history with another job and more operations."""
    return replace(with_job(job), operations=[*VALID.operations, *operations], **changes)


def retried(*operations: Operation, **changes: Any) -> History:
    """Return a history in which a canceled job was retried, and succeeded at its first attempt."""
    effects = [*VALID.effects, Effect(job="canceled", attempt=1)]
    return history_of(RETRIED, *operations, effects=effects, **changes)


def tagged(job: Job) -> Job:
    return replace(job, tags=("group",))


def many(outcome: Outcome, *names: str) -> Operation:
    jobs = [schedule_call(make_job(name)).request.input for name in names]
    value = {"allScheduled": [*names]} if outcome is Outcome.OK else {}
    return make_operation(Kind.SCHEDULE_MANY, {"jobs": jobs}, outcome, value)


def triggered(*keys: str, run: str = "tick-9", outcome: Outcome = Outcome.OK) -> History:
    """Return a history in which the cron was triggered once, by calls with these keys."""
    tick = replace(make_tick(9), origin=TickOrigin.TRIGGER)
    calls = [of_cron(Kind.TRIGGER_CRON, outcome, {"triggered": run}, key=key) for key in keys]
    return history_of(tick_job(9), *calls, **of_tick_9(tick))


def backfilled(started: int, outcome: Outcome = Outcome.OK) -> History:
    tick = replace(make_tick(9), origin=TickOrigin.BACKFILL)
    call = of_cron(Kind.BACKFILL_CRON, outcome, {"started": started})
    return history_of(tick_job(9), call, **of_tick_9(tick))


def of_tick_9(tick: CronTick) -> dict[str, Any]:
    effects = [*VALID.effects, Effect(job="tick-9", attempt=1)]
    return {"cron_ticks": [*TICKS, tick], "effects": effects}


def skipped(*outcomes: Outcome) -> History:
    """Return a history in which a tick was skipped ahead of time, by these calls."""
    tick = replace(make_tick(4, outcome=TickOutcome.SKIPPED), reason=TickReason.REQUESTED)
    return replace(
        VALID,
        operations=[*VALID.operations, *(of_cron(Kind.SKIP_NEXT_RUN, each) for each in outcomes)],
        cron_ticks=[*TICKS, tick],
        crons=[replace(CRON, name=CHANGED, tick_counts=TickCounts(ran=3, skipped=1))],
    )


RETRY_BULK: Final = bulk_action(BulkActionKind.RETRY_JOBS, BulkOutcome.RETRIED)
MOVE_BULK: Final = bulk_action(BulkActionKind.RESCHEDULE_JOBS, BulkOutcome.RESCHEDULED)
CORRECT: Final[Mapping[str, Callable[[], History]]] = {
    "retry": lambda: retried(of_job(Kind.RETRY, "canceled")),
    "retry without an answer": lambda: retried(of_job(Kind.RETRY, "canceled", Outcome.UNKNOWN)),
    "retry by a bulk action": lambda: replace(
        retried(bulk_call(), bulk_actions=[RETRY_BULK]),
        jobs={**JOBS, "canceled": tagged(RETRIED)},
    ),
    "cancellation by a bulk action": lambda: history_of(
        tagged(make_job("x", (TransitionName.CANCEL,))),
        bulk_call(Kind.CANCEL_JOBS),
        schedule_call(make_job("x")),
        bulk_actions=[bulk_action(BulkActionKind.CANCEL_JOBS, BulkOutcome.CANCELED)],
    ),
    "resolved failure": lambda: history_of(
        replace(JOBS["refuse"], purge_at=BEGIN + 900_000 * SECOND),
        make_operation(
            Kind.RESOLVE_FAILURES,
            {"functionName": "ledger.refuse"},
            Outcome.OK,
            {"bulkAction": "bulk"},
        ),
        failures=frozenset({"fail"}),
        bulk_actions=[bulk_action(BulkActionKind.RESOLVE_FAILURES, BulkOutcome.RESOLVED)],
    ),
    "new due time": lambda: history_of(MOVED, of_job(Kind.RESCHEDULE, "touch")),
    "new due time by a bulk action": lambda: history_of(
        tagged(MOVED), bulk_call(Kind.RESCHEDULE_JOBS), bulk_actions=[MOVE_BULK]
    ),
    "many jobs": lambda: with_operation(many(Outcome.OK, "enter", "unknown")),
    "many jobs that do not exist": lambda: with_operation(many(Outcome.UNKNOWN, "a", "b")),
    "trigger": lambda: triggered("a", "a"),
    "backfill": lambda: backfilled(1),
    "skip": lambda: skipped(Outcome.OK),
}
"""Histories without a violation."""
VIOLATIONS_OF_CALLS: Final[dict[str, tuple[str, Callable[[], History]]]] = {
    "retry without a request": (RETRY, retried),
    "retry by a bulk action of other jobs": (
        RETRY,
        lambda: retried(bulk_call(), bulk_actions=[RETRY_BULK]),
    ),
    "lost retry": (RETRY, lambda: with_operation(of_job(Kind.RETRY, "canceled"))),
    "retry that no bulk action counts": (
        RETRY,
        lambda: replace(
            retried(bulk_call(outcome=Outcome.UNKNOWN)), jobs={**JOBS, "canceled": tagged(RETRIED)}
        ),
    ),
    "lost due time": (DUE_TIME, lambda: with_operation(of_job(Kind.RESCHEDULE, "touch"))),
    "due time without a request": (DUE_TIME, lambda: with_job(MOVED)),
    "due time by a bulk action of other jobs": (
        DUE_TIME,
        lambda: history_of(MOVED, bulk_call(Kind.RESCHEDULE_JOBS), bulk_actions=[MOVE_BULK]),
    ),
    "due time that no bulk action counts": (
        DUE_TIME,
        lambda: history_of(tagged(MOVED), bulk_call(Kind.RESCHEDULE_JOBS, Outcome.UNKNOWN)),
    ),
    "lost bulk action": (BULK, lambda: with_operation(bulk_call())),
    "bulk action without a call": (BULK, lambda: replace(VALID, bulk_actions=[RETRY_BULK])),
    "bulk action still running": (
        BULK,
        lambda: replace(
            with_operation(bulk_call()),
            bulk_actions=[
                bulk_action(
                    BulkActionKind.RETRY_JOBS,
                    BulkOutcome.RETRIED,
                    count=0,
                    state=BulkActionState.RUNNING,
                )
            ],
        ),
    ),
    "cancellations that are not on the timelines": (
        BULK,
        lambda: replace(
            with_operation(bulk_call(Kind.CANCEL_JOBS)),
            bulk_actions=[bulk_action(BulkActionKind.CANCEL_JOBS, BulkOutcome.CANCELED, count=2)],
        ),
    ),
    "half of many jobs": (
        MANY,
        lambda: with_operation(many(Outcome.UNKNOWN, "enter", "not created")),
    ),
    "run without a record": (LEDGER, lambda: with_job(replace(tick_job(1), id="again"))),
    "tick that ran twice": (
        LEDGER,
        lambda: replace(
            backfilled(1),
            cron_ticks=[*TICKS, replace(make_tick(2), origin=TickOrigin.BACKFILL)],
        ),
    ),
    "declared cron that is left": (
        LEDGER,
        lambda: replace(VALID, crons=[CRON, replace(CRON, id="c2", managed_by=SET)]),
    ),
    "lost trigger": (
        CRON_CALL,
        lambda: with_operation(
            of_cron(Kind.TRIGGER_CRON, Outcome.OK, {"triggered": "tick-9"}, key="a")
        ),
    ),
    "two runs of a key": (
        CRON_CALL,
        lambda: replace(
            triggered("a"),
            operations=[
                *triggered("a").operations,
                of_cron(Kind.TRIGGER_CRON, Outcome.OK, {"triggered": "other"}, key="a"),
            ],
        ),
    ),
    "lost skip": (CRON_CALL, lambda: with_operation(of_cron(Kind.SKIP_NEXT_RUN))),
    "skip without a call": (CRON_CALL, lambda: skipped(Outcome.FAILED)),
    "lost backfill": (CRON_CALL, lambda: backfilled(2)),
    "backfill that was rejected": (CRON_CALL, lambda: backfilled(0, Outcome.FAILED)),
}
