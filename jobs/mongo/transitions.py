"""Builds each transition as a guard and an update pipeline: nothing else writes `state`.

A user's value enters a pipeline inside `$literal` only: otherwise a result of "$owner" would read
a field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ostinato.jobs.lifecycle import (
    EVENTS_PER_ATTEMPT,
    MAX_EVENTS,
    TRANSITIONS,
    Due,
    Transition,
    TransitionName,
)
from ostinato.jobs.records import JobState

Expression = Any  # an aggregation expression, as BSON
Fields = Mapping[str, Expression]
Pipeline = list[dict[str, Any]]

REMOVE: Final = "$$REMOVE"
EVENT_FIELDS: Final = {
    "owner": "$owner",
    "functionName": "$functionName",
    "queue": "$queue",
    "cause": "$cause",
    "internal": "$internal",
    "scheduledTime": "$scheduledTime",
}
"""What an event copies from its job, before the change: it can be routed without reading the job.
"""

LANE_WITHOUT_RESERVATION: Final = {"$arrayElemAt": [{"$split": ["$lane", "!"]}, 0]}

KEPT_HEAD_EVENTS: Final = 10  # of a timeline that has to be cut
MIN_DATE: Final = datetime(1, 1, 2, tzinfo=UTC)
MAX_DATE: Final = datetime(9999, 12, 31, tzinfo=UTC)
SMALL_FIELDS: Final = (
    *("_id", "state", "lane", "scheduledTime", "owner", "internal", "functionName", "attempt"),
    *("version", "queue", "priority", "maxAttempts", "retry", "createdAt", "cause", "key", "tick"),
)

MAX_EVENTS_BEFORE_CLAIM: Final = MAX_EVENTS - EVENTS_PER_ATTEMPT - 2
"""A job with a longer timeline fails at its next claim: there is room for the claim and failure."""
HAS_ROOM_FOR_RETRY: Final = {
    "$lte": [
        {
            "$add": [
                {"$cond": [{"$isArray": "$timeline"}, {"$size": "$timeline"}, MAX_EVENTS]},
                {"$multiply": [EVENTS_PER_ATTEMPT, {"$add": ["$retry.retries", 1]}]},
                2,  # this transition, and the cancellation of a job that has not started
            ]
        },
        MAX_EVENTS,
    ]
}
"""Whether the timeline can take all attempts of another round."""


def literal(value: object) -> Expression:
    return {"$literal": value}


def now(offset_ms: int) -> Expression:
    """Build the expression of due time: the server's clock plus the offset of test modes."""
    return {"$add": ["$$NOW", offset_ms]} if offset_ms else "$$NOW"


def value_by_id(ids: Sequence[str], values: Sequence[object]) -> Expression:
    """Build the expression that gives each document its value, by its id."""
    position = {"$indexOfArray": [literal(list(ids)), "$_id"]}
    return {"$arrayElemAt": [literal(list(values)), position]}


def guard(name: TransitionName, ids: Sequence[str], attempt: int | None = None) -> dict[str, Any]:
    """Build the filter of the jobs that can make the transition; a fenced one needs the attempt.

    The attempt's number rises at every start, so it identifies one start of a job forever. A
    transition that yields to a cancellation skips the jobs whose cancellation was requested: see
    `cancel_requested_guard`.
    """
    transition = TRANSITIONS[name]
    if transition.fenced and attempt is None:
        raise ValueError(f"{name} needs the attempt that makes it")
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


def cancel_requested_guard(ids: Sequence[str], attempt: int) -> dict[str, Any]:
    """Build the filter of the jobs whose cancellation was requested while the attempt ran."""
    return {**guard(TransitionName.STOP, ids, attempt), "cancelRequestedAt": {"$ne": None}}


def pipeline(
    name: TransitionName,
    at: Expression,
    fields: Fields | None = None,
    event: Fields | None = None,
    keep_ms: Expression = 0,
) -> Pipeline:
    """Build the update of a transition: state, version, `fields`, and one event with `event`.

    `at` is due time; `keep_ms` is the retention of a job that ends by this transition.
    """
    transition = TRANSITIONS[name]
    changes = {**_changes(transition, at, keep_ms), **(fields or {})}
    due = {"nextRunAt": at} if transition.due is Due.NOW else {}
    return [{"$set": _stage(transition.target, at, changes, {**due, **(event or {})})}]


def first_event(document: Mapping[str, Any]) -> dict[str, Any]:
    """Build the timeline entry that a new job's document starts with."""
    return {
        "seq": 1,
        "at": document["createdAt"],
        "from": None,
        "state": document["state"],
        "attempt": 0,
        "nextRunAt": document["scheduledTime"],
        **{name: document[name] for name in EVENT_FIELDS},
    }


def _stage(target: JobState, at: Expression, fields: Fields, event: Fields) -> dict[str, Any]:
    entry = {
        "seq": {"$add": [{"$size": "$timeline"}, 1]},
        "at": at,
        "from": "$state",
        "state": target.value,
        "attempt": "$attempt",
        "worker": {"$ifNull": ["$lease.worker", REMOVE]},
        **EVENT_FIELDS,
        **event,
    }
    return {
        "state": target.value,
        "version": {"$add": ["$version", 1]},
        **fields,
        "timeline": {"$concatArrays": ["$timeline", [entry]]},
    }


def _changes(transition: Transition, at: Expression, keep_ms: Expression) -> dict[str, Any]:
    """Return the fields that the transition's columns say it changes."""
    changes: dict[str, Any] = dict.fromkeys(transition.stamps, at)
    changes |= dict.fromkeys(transition.removes, REMOVE)
    if transition.due is Due.NOW:
        changes["scheduledTime"] = at
    if transition.drops_reservation:
        changes["lane"] = LANE_WITHOUT_RESERVATION
    if transition.restores_attempt:
        changes["maxAttempts"] = {"$max": ["$maxAttempts", {"$add": ["$attempt", 1]}]}
    if transition.starts_retention:
        changes["purgeAt"] = {"$add": [at, keep_ms]}
    return changes


def fail_pipelines(at: Expression, error: Fields) -> list[Pipeline]:
    """Build updates that fail a job whatever its document contains, each smaller than the one
    before: with the head of the timeline, without it, and without any field that may be large."""
    head = {"$cond": [{"$isArray": "$timeline"}, {"$slice": ["$timeline", KEPT_HEAD_EVENTS]}, []]}
    small = {"$replaceWith": {name: f"${name}" for name in SMALL_FIELDS}}
    return [
        [{"$set": _failed(at, error, head)}],
        [{"$set": _failed(at, error, literal([]))}],
        [small, {"$set": {**_failed(at, error, literal([])), "args": literal({})}}],
    ]


def _failed(at: Expression, error: Fields, head: Expression) -> dict[str, Any]:
    fields = {
        "state": JobState.FAILED.value,
        "attempt": _to_int("$attempt"),
        "scheduledTime": _readable_date("$scheduledTime", at),
        "error": literal(error),
    }
    entry = {
        "seq": {"$add": [{"$size": head}, 1]},
        "at": at,
        "from": "$state",
        **EVENT_FIELDS,
        **fields,
    }
    return {
        **fields,
        "version": {"$add": [_to_int("$version"), 1]},
        "completedAt": at,
        "lease": REMOVE,
        "purgeAt": REMOVE,
        "timeline": {"$concatArrays": [head, [entry]]},
    }


def _to_int(field: str) -> Expression:
    return {"$convert": {"input": field, "to": "int", "onError": 0, "onNull": 0}}


def _readable_date(field: str, default: Expression) -> Expression:
    """Build the expression of a date that Python can represent: the field's, or the default."""
    is_readable = [{"$gte": [field, MIN_DATE]}, {"$lt": [field, MAX_DATE]}]
    return {"$cond": [{"$and": is_readable}, field, default]}
