"""Bulk actions: one change of all jobs or failures that match a filter, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from ostinato.jobs.filters import FailureFilter, FailureState, JobFilter
from ostinato.jobs.records import CauseKind, JobState

F = TypeVar("F", JobFilter, FailureFilter)

MAX_ERRORS: Final = 100  # of a bulk action; the counts of its outcomes are complete


class BulkActionKind(StrEnum):
    CANCEL_JOBS = "cancelJobs"
    RETRY_JOBS = "retryJobs"
    RESCHEDULE_JOBS = "rescheduleJobs"
    RESOLVE_FAILURES = "resolveFailures"
    RETRY_FAILURES = "retryFailures"


class BulkActionState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"
    FAILED = "failed"


class BulkOutcome(StrEnum):
    """What became of one job or failure."""

    CANCELED = "canceled"
    CANCEL_REQUESTED = "cancelRequested"
    RETRIED = "retried"
    RESCHEDULED = "rescheduled"
    RESOLVED = "resolved"
    NOT_ALLOWED = "notAllowed"
    TOO_MANY_ATTEMPTS = "tooManyAttempts"
    QUOTA_EXCEEDED = "quotaExceeded"
    NO_JOB = "noJob"
    MALFORMED = "malformed"


CHANGED: Final = frozenset(
    {
        BulkOutcome.CANCELED,
        BulkOutcome.CANCEL_REQUESTED,
        BulkOutcome.RETRIED,
        BulkOutcome.RESCHEDULED,
        BulkOutcome.RESOLVED,
    }
)
"""The outcomes that are not errors."""
OF_FAILURES: Final = frozenset({BulkActionKind.RESOLVE_FAILURES, BulkActionKind.RETRY_FAILURES})
"""The kinds whose filters match failures; those of the other kinds match jobs."""
JOB_STATES: Final[Mapping[BulkActionKind, tuple[JobState, ...]]] = {
    BulkActionKind.CANCEL_JOBS: (JobState.PENDING, JobState.IN_PROGRESS),
    BulkActionKind.RETRY_JOBS: (JobState.FAILED, JobState.CANCELED),
    BulkActionKind.RESCHEDULE_JOBS: (JobState.PENDING,),
}
"""The states of the jobs that an action changes; it passes over all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCount:
    outcome: BulkOutcome
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkError:
    """A job or failure that was not changed."""

    id: str
    outcome: BulkOutcome
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAction:
    id: str
    owner: str | None
    """Who started it; None for the application."""
    kind: BulkActionKind
    state: BulkActionState
    target_owner: str | None
    """Whose objects it changes; None for those of all owners."""
    processed: int
    version: int
    created_at: datetime
    """It changes only what was created before."""
    total: int | None = None
    """The number of matching objects at the start; None if they were too many to count."""
    outcomes: tuple[OutcomeCount, ...] = ()
    errors: tuple[BulkError, ...] = ()
    """At most MAX_ERRORS, the first ones."""
    completed_at: datetime | None = None
    scheduler_job_id: str | None = None
    run_at: datetime | None = None
    """When the jobs are to be due, if it reschedules them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPage:
    """The next objects of a bulk action to read."""

    kind: BulkActionKind
    which: JobFilter | FailureFilter
    owner: str | None
    after_id: str | None
    before: datetime
    """Only objects created before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRow:
    """An object of a page, as read in its transaction."""

    id: str
    owner: str | None
    function_name: str
    is_running: bool = False
    attempt: int = 0
    retries: int = 0
    has_room: bool = True
    """Whether the timeline has capacity for another set of attempts."""
    is_valid: bool = True
    """Whether the document can be changed."""
    job_id: str | None = None
    """Of a failure."""
    has_job: bool = True
    """Whether the failed job of a failure that is to be retried exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRows:
    """A page that was read; `last_id` is None at the end of the list."""

    rows: tuple[BulkRow, ...]
    last_id: str | None


def bulk_action_from(document: Mapping[str, Any]) -> BulkAction:
    return BulkAction(
        id=document["_id"],
        owner=document["owner"],
        kind=BulkActionKind(document["kind"]),
        state=BulkActionState(document["state"]),
        target_owner=document["targetOwner"],
        processed=document["processed"],
        version=document["version"],
        created_at=document["createdAt"],
        total=document.get("total"),
        outcomes=tuple(
            OutcomeCount(outcome=BulkOutcome(name), count=count)
            for name, count in sorted(document["outcomes"].items())
        ),
        errors=tuple(
            BulkError(id=one["id"], outcome=BulkOutcome(one["outcome"]), message=one["message"])
            for one in document["errors"]
        ),
        completed_at=document.get("completedAt"),
        scheduler_job_id=document.get("schedulerJobId"),
        run_at=document.get("runAt"),
    )


def filter_document(which: JobFilter | FailureFilter) -> dict[str, Any]:
    """Return the stored form of a filter: its fields that are set."""
    values = {each.name: getattr(which, each.name) for each in fields(which)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None and (name != "tags" or value)
    }


def filter_from(kind: BulkActionKind, document: Mapping[str, Any]) -> JobFilter | FailureFilter:
    """Read a stored filter."""
    values = dict(document)
    if kind in OF_FAILURES:
        found = values.pop("states", [FailureState.OPEN])
        return FailureFilter(**values, states=tuple(map(FailureState, found)))
    states = tuple(map(JobState, values.pop("states", JOB_STATES[kind])))
    cause_kind = values.pop("cause_kind", None)
    tags = tuple(values.pop("tags", ()))
    ids = values.pop("ids", None)
    cause = None if cause_kind is None else CauseKind(cause_kind)
    return JobFilter(
        **values,
        states=states,
        ids=None if ids is None else tuple(ids),
        tags=tags,
        cause_kind=cause,
    )
