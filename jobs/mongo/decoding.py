"""Turns raw change stream events into `Change` records; knows how jobs are stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from jobs.changes import Change, ChangeType, Position, Route, Watched
from jobs.documents import job_event_from
from jobs.logs import get_log
from jobs.mongo.client import Mongo
from jobs.mongo.patience import Patience
from jobs.records import Cause, CauseKind, JobEvent

DECODED: Final[CodecOptions[dict[str, Any]]] = CodecOptions(tz_aware=True, tzinfo=UTC)
ROUTES: Final = 4_096  # distinct routes that share one record each; jobs of one cron have one
log = get_log(__name__)

ROUTE_NAMES: Final = ("owner", "functionName", "queue", "taskId")
ROUTE_FIELDS: Final = (*ROUTE_NAMES, "internal", "cause")

Document = Mapping[str, Any]

_WATCHED: Final = {str(name): name for name in Watched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The changes of one batch, in order."""

    changes: list[Change]
    vanished_at: Position | None = None
    """Where a whole collection went away; the changes are those behind it."""


def decode_batch(events: Iterable[RawBSONDocument]) -> Decoded:
    """Decode each event once."""
    changes: list[Change] = []
    vanished_at: Position | None = None
    for raw in events:
        event = bson.decode(raw.raw, DECODED)
        decode = _DECODERS.get(event["operationType"])
        if decode is None:
            changes, vanished_at = [], Position(event["_id"]["_data"])
            continue
        try:
            changes.append(decode(event))
        except (KeyError, TypeError, ValueError, AttributeError):  # written behind our back
            log.exception("stream.undecodable", key=str(event.get("documentKey")))
    return Decoded(changes=changes, vanished_at=vanished_at)


async def read_routes(
    mongo: Mongo, collection: Watched, document_ids: Iterable[str]
) -> dict[str, Route]:
    """Read the routes of documents whose change did not carry them; one find, until it succeeds."""
    matched = {"_id": {"$in": list(document_ids)}}
    fields = dict.fromkeys(ROUTE_FIELDS, 1)
    rows = await Patience().until_answered(
        lambda: mongo[collection].find(matched, fields).to_list(None)
    )
    return {row["_id"]: _route_of(row) for row in rows}


def _inserted(event: Document) -> Change:
    full = event["fullDocument"]
    return _change(
        event,
        ChangeType.INSERTED,
        version=full.get("version"),
        route=_route_of(full),
        events=tuple(map(job_event_from, full.get("timeline", ()))),
        scheduled_time=full.get("scheduledTime"),
    )


def _replaced(event: Document) -> Change:
    full = event["fullDocument"]
    return _change(
        event,
        ChangeType.CHANGED,
        version=full.get("version"),
        route=_route_of(full),
        events=_newest_events(full),
        scheduled_time=full.get("scheduledTime"),
    )


def _updated(event: Document) -> Change:
    fields = event["updateDescription"]["updatedFields"]
    appended = [value for name, value in fields.items() if _is_entry(name)]
    routed = appended[-1] if appended else event.get("fullDocumentBeforeChange")
    return _change(
        event,
        ChangeType.CHANGED,
        version=fields.get("version"),
        route=_route_of(routed) if routed else None,
        events=tuple(map(job_event_from, appended)),
        scheduled_time=fields.get("scheduledTime"),
    )


def _deleted(event: Document) -> Change:
    before = event.get("fullDocumentBeforeChange")
    return _change(event, ChangeType.DELETED, route=_route_of(before) if before else None)


_DECODERS: Final[dict[str, Callable[[Document], Change]]] = {
    "insert": _inserted,
    "update": _updated,
    "replace": _replaced,
    "delete": _deleted,
}


def _change(event: Document, type_: ChangeType, **known: Any) -> Change:
    return Change(
        collection=_WATCHED[event["ns"]["coll"]],
        document_id=event["documentKey"]["_id"],
        type=type_,
        position=Position(event["_id"]["_data"]),
        **known,
    )


def _is_entry(name: str) -> bool:
    return name.startswith("timeline.") and name[9:].isdigit()


def _newest_events(full: Document) -> tuple[JobEvent, ...]:
    """Find what a replacing write appended: a move appends one entry, or marks each it adds."""
    timeline = full.get("timeline", ())
    marked = [entry for entry in timeline if entry.get("version") == full.get("version")]
    return tuple(map(job_event_from, marked or timeline[-1:]))


def _route_of(fields: Document) -> Route:
    cause = fields.get("cause") or {}
    names = tuple(fields.get(name) for name in ROUTE_NAMES)
    return _route(names, bool(fields.get("internal")), (cause.get("kind"), cause.get("id")))


@lru_cache(maxsize=ROUTES)
def _route(
    names: tuple[str | None, ...], internal: bool, cause: tuple[str | None, str | None]
) -> Route:
    """Share one record between all jobs with the same route."""
    owner, function_name, queue, task_id = names
    kind, cause_id = cause
    return Route(
        owner=owner,
        function_name=function_name,
        queue=queue,
        internal=internal,
        cause=Cause(kind=CauseKind(kind), id=cause_id) if kind else None,
        task_id=task_id,
    )
