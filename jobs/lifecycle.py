"""The states of a job and the moves between them, as data. docs/lifecycle.md is made of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ostinato.jobs.records import JobState

MAX_EVENTS: Final = 512  # entries of a timeline: the document stays far below MongoDB's 16 MB
EVENTS_PER_ATTEMPT: Final = 3  # its start, a request to cancel it, its end
MAX_ATTEMPTS: Final = 100  # all of them fit into one timeline, and leave room for other moves
MAX_WORKERS_LOST: Final = 3  # a job that took three workers down must not take the fleet down


class Move(StrEnum):
    """One way for a job to change state, named as the log and the metrics name it."""

    CLAIM = "claim"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEST_CANCEL = "requestCancel"
    STOP = "stop"
    HAND_BACK = "handBack"
    LOSE = "lose"
    RESERVE = "reserve"
    REVIVE = "revive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a move does: from which states, to which, and who makes it."""

    sources: frozenset[JobState]
    target: JobState
    fenced: bool
    """Whether only the holder of the present attempt may make it."""
    yields_to_cancel: bool = False
    """Whether the job becomes canceled instead, once its cancellation was requested."""
    meaning: str


def _transition(
    *sources: JobState,
    to: JobState,
    meaning: str,
    fenced: bool = False,
    yields_to_cancel: bool = False,
) -> Transition:
    return Transition(
        sources=frozenset(sources),
        target=to,
        fenced=fenced,
        yields_to_cancel=yields_to_cancel,
        meaning=meaning,
    )


_RUNNING: Final = JobState.IN_PROGRESS

MOVES: Final[dict[Move, Transition]] = {
    Move.CLAIM: _transition(
        JobState.PENDING, to=_RUNNING, meaning="a worker starts the next attempt of a due job"
    ),
    Move.SUCCEED: _transition(
        _RUNNING,
        to=JobState.SUCCESS,
        fenced=True,
        yields_to_cancel=True,
        meaning="the function returned",
    ),
    Move.RETRY: _transition(
        _RUNNING,
        to=JobState.PENDING,
        fenced=True,
        yields_to_cancel=True,
        meaning="the function raised and its policy has attempts left",
    ),
    Move.FAIL: _transition(
        _RUNNING,
        to=JobState.FAILED,
        fenced=True,
        yields_to_cancel=True,
        meaning="the function raised on its last attempt, or lost its last worker",
    ),
    Move.CANCEL: _transition(
        JobState.PENDING, to=JobState.CANCELED, meaning="somebody canceled it before it started"
    ),
    Move.REQUEST_CANCEL: _transition(
        _RUNNING, to=_RUNNING, meaning="somebody asked its worker to stop it"
    ),
    Move.STOP: _transition(
        _RUNNING,
        to=JobState.CANCELED,
        fenced=True,
        meaning="its worker stopped it after a request to cancel",
    ),
    Move.HAND_BACK: _transition(
        _RUNNING,
        to=JobState.PENDING,
        fenced=True,
        yields_to_cancel=True,
        meaning="its worker shuts down and gives it back at once",
    ),
    Move.LOSE: _transition(
        _RUNNING,
        to=JobState.PENDING,
        fenced=True,
        yields_to_cancel=True,
        meaning="its worker is gone and it may run again",
    ),
    Move.RESERVE: _transition(
        JobState.PENDING,
        to=JobState.PENDING,
        meaning="its function's rate limit gives it a later start",
    ),
    Move.REVIVE: _transition(
        JobState.FAILED,
        JobState.CANCELED,
        to=JobState.PENDING,
        meaning="somebody asked for another round of attempts",
    ),
}

FINAL_STATES: Final = frozenset({JobState.SUCCESS, JobState.FAILED, JobState.CANCELED})


def may(move: Move, state: JobState) -> bool:
    """Tell whether a job in `state` can make `move`."""
    return state in MOVES[move].sources
