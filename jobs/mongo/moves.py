"""The one place that writes `state`: each move as a guard and an update pipeline.

What came from a user enters a pipeline in `$literal` only: otherwise a result of "$owner" would
read a field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ostinato.jobs.lifecycle import EVENTS_PER_ATTEMPT, FINAL_STATES, MAX_EVENTS, MOVES, Move
from ostinato.jobs.records import JobState

Expression = Any  # an aggregation expression, as BSON
Fields = Mapping[str, Expression]
Pipeline = list[dict[str, Any]]

REMOVE: Final = "$$REMOVE"
ROUTING: Final = {
    "owner": "$owner",
    "functionName": "$functionName",
    "queue": "$queue",
    "cause": "$cause",
    "internal": "$internal",
    "scheduledTime": "$scheduledTime",
}
"""What an event repeats of its job, as it was before, so that nobody who decides who hears of it
has to read the job."""

# A start that a rate limit gave is good for one attempt.
UNRESERVED: Final = {"$arrayElemAt": [{"$split": ["$lane", "!"]}, 0]}

HEAD_EVENTS: Final = 10  # of a timeline that has to be cut
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)
SMALL_FIELDS: Final = (
    *("_id", "state", "lane", "scheduledTime", "owner", "internal", "functionName", "attempt"),
    *("version", "queue", "priority", "maxAttempts", "retry", "createdAt", "cause", "key", "tick"),
)

FULL_AT: Final = MAX_EVENTS - EVENTS_PER_ATTEMPT - 2
"""A job whose timeline is longer fails at its next claim: the claim and the failure have room."""
HAS_ROOM_FOR_A_ROUND: Final = {
    "$lte": [
        {
            "$add": [
                {"$cond": [{"$isArray": "$timeline"}, {"$size": "$timeline"}, MAX_EVENTS]},
                {"$multiply": [EVENTS_PER_ATTEMPT, {"$add": ["$retry.retries", 1]}]},
                2,  # this move, and the cancellation of what has not started
            ]
        },
        MAX_EVENTS,
    ]
}
"""Whether the timeline can take all attempts of another round."""


def literal(value: object) -> Expression:
    return {"$literal": value}


def now(offset_ms: int) -> Expression:
    """Give due time: the server's clock and the offset of tests and development."""
    return {"$add": ["$$NOW", offset_ms]} if offset_ms else "$$NOW"


def looked_up(ids: Sequence[str], values: Sequence[object]) -> Expression:
    """Give each document its own value out of `values`, which stand in the order of `ids`."""
    return {
        "$arrayElemAt": [literal(list(values)), {"$indexOfArray": [literal(list(ids)), "$_id"]}]
    }


def guard(move: Move, ids: Sequence[str], attempt: int | None = None) -> dict[str, Any]:
    """Match the jobs that may make the move; a fenced move needs the attempt that makes it.

    The attempt's number rises at every start, so it names one start of a job for good. A move
    that yields to a cancellation passes over the jobs whose end was asked for: see `guard_asked`.
    """
    transition = MOVES[move]
    if transition.fenced and attempt is None:
        raise ValueError(f"{move} needs the attempt that makes it")
    sources = sorted(transition.sources)
    matched: dict[str, Any] = {
        "_id": ids[0] if len(ids) == 1 else {"$in": list(ids)},
        "state": sources[0] if len(sources) == 1 else {"$in": sources},
    }
    if attempt is not None:
        matched["attempt"] = attempt
    if transition.yields_to_cancel:
        matched["cancelRequestedAt"] = None
    return matched


def guard_asked(ids: Sequence[str], attempt: int) -> dict[str, Any]:
    """Match the jobs whose end was asked for while the attempt ran: they stop instead."""
    return {**guard(Move.STOP, ids, attempt), "cancelRequestedAt": {"$ne": None}}


def pipeline(
    move: Move,
    at: Expression,
    fields: Fields | None = None,
    event: Fields | None = None,
    keep_ms: Expression = 0,
) -> Pipeline:
    """Build the update of a move: state, version, `fields`, and one event with `event`.

    `at` is due time; `keep_ms` is how long a job is kept that ends by this move.
    """
    target = MOVES[move].target
    brought = _consequences(move, target, at, keep_ms)
    return [{"$set": _written(target, at, {**brought, **(fields or {})}, event or {})}]


def first_event(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the timeline entry that a new job's document starts with."""
    return {
        "seq": 1,
        "at": document["createdAt"],
        "from": None,
        "state": document["state"],
        "attempt": 0,
        "nextRunAt": document["scheduledTime"],
        **{name: document[name] for name in ROUTING},
    }


def _written(target: JobState, at: Expression, fields: Fields, event: Fields) -> dict[str, Any]:
    entry = {
        "seq": {"$add": [{"$size": "$timeline"}, 1]},
        "at": at,
        "from": "$state",
        "state": target.value,
        "attempt": "$attempt",
        "worker": {"$ifNull": ["$lease.worker", REMOVE]},
        **ROUTING,
        **event,
    }
    return {
        "state": target.value,
        "version": {"$add": ["$version", 1]},
        **fields,
        "timeline": {"$concatArrays": ["$timeline", [entry]]},
    }


def _consequences(
    move: Move, target: JobState, at: Expression, keep_ms: Expression
) -> dict[str, Any]:
    """Say what a state brings with it, whichever move led there."""
    if move is Move.REQUEST_CANCEL:
        return {"cancelRequestedAt": at}
    if target is JobState.IN_PROGRESS:
        return {"startedAt": at, "progress": REMOVE}
    if move is Move.RESERVE:
        return {}
    if target is JobState.PENDING:
        pending: dict[str, Any] = {"lease": REMOVE, "completedAt": REMOVE, "purgeAt": REMOVE}
        pending["lane"] = UNRESERVED
        if move is not Move.REVIVE:
            # An attempt that was kept from its end does not take the next one from the policy.
            pending["maxAttempts"] = {"$max": ["$maxAttempts", {"$add": ["$attempt", 1]}]}
        return pending
    assert target in FINAL_STATES
    ended: dict[str, Any] = {"lease": REMOVE, "completedAt": at}
    # A failed job stays until its failure is resolved.
    ended["purgeAt"] = REMOVE if target is JobState.FAILED else {"$add": [at, keep_ms]}
    if target is JobState.CANCELED:
        ended["tick"] = REMOVE  # the same due time may be scheduled again
    if target is JobState.SUCCESS:
        ended["error"] = REMOVE
    return ended


def failing_smaller(at: Expression, error: Fields) -> list[Pipeline]:
    """Build updates that fail a job whatever its document is like, each smaller than the one
    before: with the head of the timeline, without it, and with nothing that may be large."""
    head = {"$cond": [{"$isArray": "$timeline"}, {"$slice": ["$timeline", HEAD_EVENTS]}, []]}
    small = {"$replaceWith": {name: f"${name}" for name in SMALL_FIELDS}}
    return [
        [{"$set": _failed(at, error, head)}],
        [{"$set": _failed(at, error, literal([]))}],
        [small, {"$set": {**_failed(at, error, literal([])), "args": literal({})}}],
    ]


def _failed(at: Expression, error: Fields, head: Expression) -> dict[str, Any]:
    fields = {
        "state": JobState.FAILED.value,
        "attempt": _number("$attempt"),
        "scheduledTime": _instant("$scheduledTime", at),
        "error": literal(error),
    }
    entry = {"seq": {"$add": [{"$size": head}, 1]}, "at": at, "from": "$state", **ROUTING, **fields}
    return {
        **fields,
        "version": {"$add": [_number("$version"), 1]},
        "completedAt": at,
        "lease": REMOVE,
        "purgeAt": REMOVE,
        "timeline": {"$concatArrays": [head, [entry]]},
    }


def _number(field: str) -> Expression:
    return {"$convert": {"input": field, "to": "int", "onError": 0, "onNull": 0}}


def _instant(field: str, otherwise: Expression) -> Expression:
    """Give an instant that every reader can decode."""
    readable = [{"$gte": [field, EARLIEST]}, {"$lt": [field, LATEST]}]
    return {"$cond": [{"$and": readable}, field, otherwise]}
