"""Builds each transition as a guard and an update pipeline.

Every update of `state` is built here: the transitions, and `fail_pipelines`, which `poisoned_jobs`
applies to jobs that no transition can update.

User values are always wrapped in `$literal`: a result of "$owner" would otherwise read a field.
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
from ostinato.jobs.mongo.clock import ClockTime
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
    "rootId": "$rootId",
    "internal": "$internal",
    "scheduledTime": "$scheduledTime",
    "createdAt": "$createdAt",
    "key": "$key",
    "tags": "$tags",
}
"""Job fields copied to each event (before the change), for routing without reading the job. What a
job does not have is omitted."""

LANE_WITHOUT_RESERVATION: Final = {"$arrayElemAt": [{"$split": ["$lane", "!"]}, 0]}

KEPT_HEAD_EVENTS: Final = 10  # of a truncated timeline
MIN_DATE: Final = datetime(1, 1, 2, tzinfo=UTC)
MAX_DATE: Final = datetime(9999, 12, 31, tzinfo=UTC)
SMALL_FIELDS: Final = (
    *("_id", "state", "lane", "scheduledTime", "owner", "internal", "functionName", "attempt"),
    *("version", "queue", "priority", "maxAttempts", "retry", "createdAt", "cause", "key", "tick"),
    *("tags", "rootId"),
)

MAX_EVENTS_BEFORE_CLAIM: Final = MAX_EVENTS - EVENTS_PER_ATTEMPT - 2
"""A job with a longer timeline fails at its next claim; the claim and failure still fit."""
HAS_TIMELINE_ROOM: Final = {
    "$lte": [
        {
            "$add": [
                {"$cond": [{"$isArray": "$timeline"}, {"$size": "$timeline"}, MAX_EVENTS]},
                {"$multiply": [EVENTS_PER_ATTEMPT, {"$add": ["$retry.retries", 1]}]},
                2,  # this transition, and a cancellation before the first start
            ]
        },
        MAX_EVENTS,
    ]
}
"""Whether the timeline has capacity for another set of attempts."""


def literal(value: object) -> Expression:
    return {"$literal": value}


def now(clock_time: ClockTime) -> Expression:
    """Build the expression for scheduler time."""
    if isinstance(clock_time, datetime):
        return clock_time
    return {"$add": ["$$NOW", clock_time]} if clock_time else "$$NOW"


def value_by_id(ids: Sequence[str], values: Sequence[object]) -> Expression:
    """Build the expression that selects each document's value by its id."""
    position = {"$indexOfArray": [literal(list(ids)), "$_id"]}
    return {"$arrayElemAt": [literal(list(values)), position]}


def guard(name: TransitionName, ids: Sequence[str], attempt: int | None = None) -> dict[str, Any]:
    """Build the filter for a transition's source states; fenced transitions require `attempt`.

    The attempt number increases at every start, so it identifies a start uniquely. Transitions that
    yield to cancellation skip jobs with a cancel request: see `cancel_requested_guard`.
    """
    transition = TRANSITIONS[name]
    if transition.fenced and attempt is None:
        raise ValueError(f"{name} is fenced: pass `attempt`")
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
    """Build the filter for jobs whose cancellation was requested during this attempt."""
    return {**guard(TransitionName.STOP, ids, attempt), "cancelRequestedAt": {"$ne": None}}


def pipeline(
    name: TransitionName,
    at: Expression,
    fields: Fields | None = None,
    event: Fields | None = None,
    retention_ms: Expression = 0,
) -> Pipeline:
    """Build the update of a transition: state, version, `fields`, and one event with `event`.

    `at` is scheduler time; `retention_ms` is the retention after a final transition.
    """
    transition = TRANSITIONS[name]
    changes = {**_changes(transition, at, retention_ms), **(fields or {})}
    next_run = {"nextRunAt": at} if transition.due is Due.NOW else {}
    return [{"$set": _stage(transition.target, at, changes, {**next_run, **(event or {})})}]


def first_event(document: Mapping[str, Any]) -> dict[str, Any]:
    """Build the first timeline entry of a new job."""
    return {
        "seq": 1,
        "at": document["createdAt"],
        "from": None,
        "state": document["state"],
        "attempt": 0,
        "nextRunAt": document["scheduledTime"],
        **event_fields(document),
    }


def event_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job's document that its events contain."""
    return {name: document[name] for name in EVENT_FIELDS if name in document}


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


def _changes(transition: Transition, at: Expression, retention_ms: Expression) -> dict[str, Any]:
    """Return a transition's field updates."""
    changes: dict[str, Any] = dict.fromkeys(transition.stamps, at)
    changes |= dict.fromkeys(transition.removes, REMOVE)
    if transition.due is Due.NOW:
        changes["scheduledTime"] = at
    if transition.drops_reservation:
        changes["lane"] = LANE_WITHOUT_RESERVATION
    if transition.restores_attempt:
        changes["maxAttempts"] = {"$max": ["$maxAttempts", {"$add": ["$attempt", 1]}]}
    if transition.starts_retention:
        changes["purgeAt"] = {"$add": [at, retention_ms]}
    return changes


def fail_pipelines(at: Expression, error: Fields) -> list[Pipeline]:
    """Build fallback updates that fail a job regardless of its content, each smaller than the last:
    with the head of the timeline, with an empty timeline, and without all large fields."""
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
    """Build the expression for a field's date, or the default if Python cannot represent it."""
    is_readable = [{"$gte": [field, MIN_DATE]}, {"$lt": [field, MAX_DATE]}]
    return {"$cond": [{"$and": is_readable}, field, default]}
