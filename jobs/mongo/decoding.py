"""Decodes raw change stream events into `DocumentChange` records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.changes import (
    DocumentChange,
    JobLabels,
    MatchState,
    Position,
    Route,
    WatchedCollection,
    WriteType,
    has_labels,
    time_of,
)
from ostinato.jobs.filters import FailureState
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_logs import job_of
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.records import Cause, CauseKind, JobState

# Naive datetimes (UTC): attaching the zone would take a third of the decoding time, and few
# datetimes are used.
CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
ROUTE_CACHE_SIZE: Final = 4_096  # all jobs of a cron share one route
ROUTE_FIELDS: Final = (
    "owner",
    "functionName",
    "queue",
    "taskId",
    "internal",
    "cause",
    "rootId",
    "cronId",
)
MATCH_FIELDS: Final = ("state", "scheduledTime")  # of a job
LABEL_FIELDS: Final = ("createdAt", "key", "tags")  # of a job
FAILURE_FIELDS: Final = ("at", "fingerprint", "resolvedAt")

Document = Mapping[str, Any]

_COLLECTIONS: Final = {str(name): name for name in WatchedCollection}
_STATES: Final = frozenset(map(str, JobState))
_SOURCES: Final = _STATES | {None}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """The changes of one batch, in order."""

    changes: Sequence[DocumentChange]
    invalidated_at: Position | None = None
    """Position of the last drop of a collection; `changes` contains only later changes."""


def decode_batch(events: Iterable[RawBSONDocument]) -> DecodedBatch:
    """Decode events in order.

    A malformed document yields a change without content, or none if its id is not a string.
    """
    changes: list[DocumentChange] = []
    invalidated_at: Position | None = None
    for raw in events:
        event: dict[str, Any] = {}
        try:
            event = bson.decode(raw.raw, CODEC)
            decode = _DECODERS.get(event["operationType"])
            if decode is None:
                changes, invalidated_at = [], Position(event["_id"]["_data"])
            else:
                changes.append(decode(event))
        except Exception as error:  # one malformed document must not end the feed
            report(*_document_of(event or raw), error)
            changes.extend(_minimal_change(event))
    return DecodedBatch(changes=changes, invalidated_at=invalidated_at)


async def read_routes(
    mongo: Mongo, collection: WatchedCollection, document_ids: Iterable[str], min_position: Position
) -> dict[str, tuple[Route, MatchState | None, JobLabels | None]]:
    """Read the routes that change events did not contain, the match states, and the labels.

    One query as of `min_position` or later, retried until it succeeds.
    """
    matched = {"_id": {"$in": list(document_ids)}}
    fields = dict.fromkeys((*ROUTE_FIELDS, *MATCH_FIELDS, *LABEL_FIELDS, *FAILURE_FIELDS), 1)
    find = partial(mongo[collection].find, matched, fields)
    rows = await MongoRetry().run(lambda: mongo.causal_read(find, time_of(min_position)))
    found: dict[str, tuple[Route, MatchState | None, JobLabels | None]] = {}
    for row in rows:
        try:
            is_job = collection is WatchedCollection.JOBS
            labels = JobLabels.of(row) if is_job or _is_failure(collection) else None
            state = _match_state_of(row) if is_job else _state_of(collection, row)
            found[row["_id"]] = (_route_of(row), state, labels)
        except Exception as error:  # one malformed document must not end the feed
            report(collection, row["_id"], error)
    return found


def _minimal_change(event: Document) -> Iterator[DocumentChange]:
    """Yield a change without content, if at least the event's header is valid."""
    with suppress(Exception):
        full = event.get("fullDocument")
        is_deleted = event["operationType"] == "delete"
        yield DocumentChange(
            *_header_of(event, WriteType.DELETED if is_deleted else WriteType.CHANGED),
            route=_route_of(full) if isinstance(full, Mapping) else None,
            labels=JobLabels.of(full) if isinstance(full, Mapping) else None,
        )


def _document_of(event: Document) -> tuple[str, object]:
    """Return the collection and id of an event's document, if decodable."""
    try:
        return event["ns"]["coll"], event["documentKey"]["_id"]
    except Exception:  # undecodable, or not a document event
        return "unknown", None


def _inserted(event: Document) -> DocumentChange:
    if event["ns"]["coll"] == WatchedCollection.JOB_LOGS:
        return _logged(event)
    return _with_document(event, WriteType.INSERTED)


def _logged(event: Document) -> DocumentChange:
    """Return the change of the job whose lines were inserted."""
    collection, batch_id, write_type, position = _header_of(event, WriteType.INSERTED)
    route = _route_of(event["fullDocument"])
    return DocumentChange(
        collection, job_of(batch_id), write_type, position, route=route, batch_id=batch_id
    )


def _replaced(event: Document) -> DocumentChange:
    # An update of most fields is reported as a replacement.
    states = _states_in(event["fullDocument"].get("stateChange"))
    return _with_document(event, WriteType.CHANGED)._replace(states=states)


def _with_document(event: Document, write_type: WriteType) -> DocumentChange:
    full, collection = event["fullDocument"], event["ns"]["coll"]
    newest = _newest_event(full)
    knows_labels = not _is_failure(collection) and (newest is None or has_labels(newest))
    return DocumentChange(
        *_header_of(event, write_type),
        version=_version_in(full),
        route=_route_of(full),
        event_raw=newest,
        scheduled_time=_scheduled_time_in(full),
        match_state=None if newest else _state_of(collection, full),
        labels=None if knows_labels else JobLabels.of(full),
    )


def _updated(event: Document) -> DocumentChange:
    fields = event["updateDescription"]["updatedFields"]
    appended = [
        fields[name] for name in fields if name.startswith("timeline.") and name[9:].isdigit()
    ]
    if (tombstone := fields.get("deleted")) is not None:
        return DocumentChange(
            *_header_of(event, WriteType.DELETED),
            route=_route_of(tombstone),
            labels=JobLabels.of(tombstone),
        )
    newest = _validated(appended[-1]) if appended else None
    return DocumentChange(
        *_header_of(event, WriteType.CHANGED),
        version=_version_in(fields),
        # An event of an older version lacks the labels, which are read with the route.
        route=_route_of(newest) if newest and has_labels(newest) else None,
        event_raw=newest,
        scheduled_time=_scheduled_time_in(fields),
        states=_states_in(fields.get("stateChange")),
    )


def _states_in(change: object) -> tuple[str, str] | None:
    """Return the states of a batch, request, failure or alert that an update changed; see
    `update_document`."""
    match change.split(" ") if isinstance(change, str) else ():
        case [before, after]:
            return before, after
    return None


def _deleted(event: Document) -> DocumentChange:
    return DocumentChange(*_header_of(event, WriteType.DELETED))


_DECODERS: Final[dict[str, Callable[[Document], DocumentChange]]] = {
    "insert": _inserted,
    "update": _updated,
    "replace": _replaced,
    "delete": _deleted,
}


def _header_of(
    event: Document, type_: WriteType
) -> tuple[WatchedCollection, str, WriteType, Position]:
    return (
        _COLLECTIONS[event["ns"]["coll"]],
        _id_of(event),
        type_,
        Position(event["_id"]["_data"]),
    )


def _id_of(event: Document) -> str:
    document_id = event["documentKey"]["_id"]
    if type(document_id) is not str:  # bson.Code subclasses str, but is not hashable
        raise TypeError(f"_id is {document_id!r}; it must be a string")
    return document_id


def _version_in(fields: Document) -> int | None:
    version: int | None = fields.get("version")
    if version is not None and not isinstance(version, int):
        raise TypeError(f"version is {version!r}; it must be a whole number")
    return version


def _newest_event(full: Document) -> Document | None:
    """Return a job's newest event; every transition appends one."""
    timeline: Sequence[Document] = full.get("timeline", ())
    return _validated(timeline[-1]) if timeline else None


def _validated(event: Document) -> Document:
    """Return the event; raises if a required field is missing or malformed."""
    is_event = (
        isinstance(event["seq"], int)
        and isinstance(event["at"], datetime)
        and event["state"] in _STATES
        and event.get("from") in _SOURCES
    )
    if not is_event:
        raise ValueError("a timeline entry is malformed")
    _scheduled_time_in(event)
    return event


def _scheduled_time_in(fields: Document) -> datetime | None:
    """Return the scheduled time, if present; raises ValueError unless it is a date."""
    scheduled = fields.get("scheduledTime")
    if scheduled is not None and not isinstance(scheduled, datetime):
        raise ValueError(f"scheduledTime is {scheduled!r}; it must be a date")
    return scheduled and scheduled.replace(tzinfo=UTC)


def _match_state_of(fields: Document) -> MatchState | None:
    """Return a job's match state; None for a malformed document."""
    try:
        return MatchState(JobState(fields["state"]), _scheduled_time_in(fields))
    except (KeyError, ValueError):
        return None


def _is_failure(collection: str) -> bool:
    return collection == WatchedCollection.FAILURES


def _state_of(collection: str, fields: Document) -> MatchState | None:
    """Return the match state of a batch, request, failure or alert; None for other documents."""
    state = fields.get("state")
    if _is_failure(collection):
        is_open = fields.get("resolvedAt") is None
        state = FailureState.OPEN.value if is_open else FailureState.RESOLVED.value
    return MatchState(state, None) if type(state) is str else None


def _route_of(fields: Document) -> Route:
    get = fields.get
    cause = get("cause") or _cause_of_tick(get("cronId"))
    names = (get("owner"), get("functionName"), get("queue"), get("taskId"), get("rootId"))
    try:
        return _route(names, bool(get("internal")), (cause.get("kind"), cause.get("id")))
    except (
        TypeError,
        ValueError,
        AttributeError,
    ):  # malformed: keep the valid fields
        known = [name if type(name) is str else None for name in names]
        return _route(tuple(known), bool(get("internal")), (None, None))


def _cause_of_tick(cron_id: object) -> Document:
    """Return the cron of a tick in the form of a job's cause."""
    return {} if cron_id is None else {"kind": CauseKind.CRON, "id": cron_id}


@lru_cache(maxsize=ROUTE_CACHE_SIZE)
def _route(
    names: tuple[str | None, ...], internal: bool, cause: tuple[str | None, str | None]
) -> Route:
    """Return the shared record of a route."""
    owner, function_name, queue, task_id, root_id = names
    kind, cause_id = cause
    return Route(
        owner=owner,
        function_name=function_name,
        queue=queue,
        internal=internal,
        cause=Cause(kind=CauseKind(kind), id=cause_id) if kind else None,
        task_id=task_id,
        root_id=root_id,
    )
