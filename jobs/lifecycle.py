"""The states of a job and the transitions between them, as data; docs/lifecycle.md is generated
from it."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from ostinato.jobs.records import JobState

MAX_EVENTS: Final = 512  # entries of a timeline: the document stays far below MongoDB's 16 MB
EVENTS_PER_ATTEMPT: Final = 3  # its start, a request to cancel it, its end
MAX_ATTEMPTS: Final = 100  # all fit in one timeline, along with other transitions
MAX_DELAY_MS: Final = 5 * 365 * 24 * 60 * 60 * 1000
"""How far ahead a job can be due: five years."""
WORKER_LOST: Final = (
    "WorkerLost"  # the stored name of the error of an attempt whose worker was lost
)
MAX_WORKERS_LOST: Final = 3  # a job that crashes workers must not crash every worker


class TransitionName(StrEnum):
    """One way for a job to change state; the value is its name in logs."""

    CLAIM = "claim"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEST_CANCEL = "requestCancel"
    STOP = "stop"
    HAND_BACK = "handBack"
    RESCUE = "rescue"
    RESERVE = "reserve"
    RESCHEDULE = "reschedule"
    MANUAL_RETRY = "manualRetry"


class Due(Enum):
    """When a job is due after a transition."""

    UNCHANGED = auto()
    NOW = auto()
    LATER = auto()
    """At a time that the caller of the transition provides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The preconditions of a transition, and its changes to the job's document."""

    sources: frozenset[JobState]
    target: JobState
    meaning: str
    """When it happens, for docs/lifecycle.md."""
    fenced: bool = False
    """Whether only the worker that holds the current attempt may apply it."""
    yields_to_cancel: bool = False
    """Whether the target is `canceled` instead if cancellation was requested."""
    stamps: tuple[str, ...] = ()
    """Fields that are set to the time of the transition."""
    removes: tuple[str, ...] = ()
    """Fields that are removed."""
    carries_result: bool = False
    """Whether the outcome's result is stored."""
    carries_error: bool = False
    """Whether the outcome's error is stored, in the job and in the event."""
    due: Due = Due.UNCHANGED
    drops_reservation: bool = False
    """Whether the start reserved by a rate limit is released; it is valid for one attempt."""
    restores_attempt: bool = False
    """Whether the next attempt is allowed even if the policy has none left."""
    starts_retention: bool = False
    """Whether the retention period starts, after which the job is purged."""


_PENDING: Final = JobState.PENDING
_RUNNING: Final = JobState.IN_PROGRESS
_END_FIELDS: Final = ("lease", "completedAt", "purgeAt")
"""Fields removed when a job becomes pending again."""

TRANSITIONS: Final[dict[TransitionName, Transition]] = {
    TransitionName.CLAIM: Transition(
        sources=frozenset({_PENDING}),
        target=_RUNNING,
        meaning="a worker starts the next attempt of a due job",
        stamps=("startedAt",),
        removes=("progress",),
    ),
    TransitionName.SUCCEED: Transition(
        sources=frozenset({_RUNNING}),
        target=JobState.SUCCESS,
        meaning="the function returned",
        fenced=True,
        yields_to_cancel=True,
        stamps=("completedAt",),
        removes=("lease", "error"),
        carries_result=True,
        starts_retention=True,
    ),
    TransitionName.RETRY: Transition(
        sources=frozenset({_RUNNING}),
        target=_PENDING,
        meaning="the function raised and its policy has attempts left, or an outage or a conflict "
        "prevented a mutation's commit (even if its policy has none left)",
        fenced=True,
        yields_to_cancel=True,
        removes=_END_FIELDS,
        carries_error=True,
        due=Due.LATER,
        drops_reservation=True,
        restores_attempt=True,
    ),
    TransitionName.FAIL: Transition(
        sources=frozenset({_RUNNING}),
        target=JobState.FAILED,
        meaning="the policy allows no retry after an error, an unknown function, a shutdown or a "
        "lost worker; or the timeline is full, the owner has lost the role that the function "
        "requires, or MongoDB rejected the outcome",
        fenced=True,
        yields_to_cancel=True,
        stamps=("completedAt",),
        removes=("lease", "purgeAt"),  # a failed job stays until its failure is resolved
        carries_error=True,
    ),
    TransitionName.CANCEL: Transition(
        sources=frozenset({_PENDING}),
        target=JobState.CANCELED,
        meaning="a client or a function canceled the job before it started",
        stamps=("completedAt",),
        removes=("lease", "tick"),  # frees the tick: its due time can be scheduled again
        starts_retention=True,
    ),
    TransitionName.REQUEST_CANCEL: Transition(
        sources=frozenset({_RUNNING}),
        target=_RUNNING,
        meaning="a client or a function requested that the running job stops",
        stamps=("cancelRequestedAt",),
    ),
    TransitionName.STOP: Transition(
        sources=frozenset({_RUNNING}),
        target=JobState.CANCELED,
        meaning="the worker stopped the job after a cancel request",
        fenced=True,
        stamps=("completedAt",),
        removes=("lease", "tick"),
        starts_retention=True,
    ),
    TransitionName.HAND_BACK: Transition(
        sources=frozenset({_RUNNING}),
        target=_PENDING,
        meaning="the worker shuts down, or claimed the job without starting it, and makes it "
        "pending at once",
        fenced=True,
        yields_to_cancel=True,
        removes=_END_FIELDS,
        due=Due.NOW,
        drops_reservation=True,
        restores_attempt=True,
    ),
    TransitionName.RESCUE: Transition(
        sources=frozenset({_RUNNING}),
        target=_PENDING,
        meaning="the worker was lost and the job may run again",
        fenced=True,
        yields_to_cancel=True,
        removes=_END_FIELDS,
        carries_error=True,
        due=Due.NOW,
        drops_reservation=True,
        restores_attempt=True,
    ),
    TransitionName.RESERVE: Transition(
        sources=frozenset({_PENDING}),
        target=_PENDING,
        meaning="the function's rate limit gives the job a later start",
        due=Due.LATER,
    ),
    TransitionName.RESCHEDULE: Transition(
        sources=frozenset({_PENDING}),
        target=_PENDING,
        meaning="a client changed when the job is due",
        due=Due.LATER,
        drops_reservation=True,
    ),
    TransitionName.MANUAL_RETRY: Transition(
        sources=frozenset({JobState.FAILED, JobState.CANCELED}),
        target=_PENDING,
        meaning="a client requested another set of attempts",
        removes=(*_END_FIELDS, "error", "result", "cancelRequestedAt"),
        drops_reservation=True,
        due=Due.NOW,
    ),
}

ACTIVE_STATES: Final = frozenset({_PENDING, _RUNNING})
FINAL_STATES: Final = frozenset({JobState.SUCCESS, JobState.FAILED, JobState.CANCELED})


def is_allowed(name: TransitionName, state: JobState) -> bool:
    """Return whether a job in `state` can make the transition."""
    return state in TRANSITIONS[name].sources
