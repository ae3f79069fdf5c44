"""Turns raw change stream events into `Change` records; knows how jobs are stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.changes import Change, ChangeType, Position, Route, Standing, Watched, time_of
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.behind import read
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.patience import Patience
from ostinato.jobs.records import Cause, CauseKind, JobState

# Times are left without their zone, which is UTC: to give it to one takes a third of the decoding
# of an event, and hardly any is read.
DECODED: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
ROUTES: Final = 4_096  # distinct routes that share one record each; jobs of one cron have one
ROUTE_FIELDS: Final = ("owner", "functionName", "queue", "taskId", "internal", "cause")
STANDING_FIELDS: Final = ("state", "scheduledTime")  # of a job

Document = Mapping[str, Any]

_WATCHED: Final = {str(name): name for name in Watched}
_STATES: Final = frozenset(map(str, JobState))
_SOURCES: Final = _STATES | {None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The changes of one batch, in order."""

    changes: Sequence[Change]
    vanished_at: Position | None = None
    """Where a whole collection went away; the changes are those behind it."""


def decode_batch(events: Iterable[RawBSONDocument]) -> Decoded:
    """Decode each event once.

    What was written past Ostinato may be of any form: of such a document it is only told that it
    has changed, and where not even its id is one of ours, nothing.
    """
    changes: list[Change] = []
    vanished_at: Position | None = None
    for raw in events:
        event: dict[str, Any] = {}
        try:
            event = bson.decode(raw.raw, DECODED)
            decode = _DECODERS.get(event["operationType"])
            if decode is None:
                changes, vanished_at = [], Position(event["_id"]["_data"])
            else:
                changes.append(decode(event))
        except Exception as error:  # whatever is stored: one document must not end the feed
            report(*_document_of(event or raw), error)
            changes.extend(_minimal_change(event))
    return Decoded(changes=changes, vanished_at=vanished_at)


async def read_routes(
    mongo: Mongo, collection: Watched, document_ids: Iterable[str], behind: Position
) -> dict[str, tuple[Route, Standing | None]]:
    """Read the routes of documents whose change did not carry them, and where jobs stand, at that
    position or later; one find, until it succeeds."""
    matched = {"_id": {"$in": list(document_ids)}}
    fields = dict.fromkeys((*ROUTE_FIELDS, *STANDING_FIELDS), 1)
    find = partial(mongo[collection].find, matched, fields)
    rows = await Patience().until_answered(lambda: read(mongo, find, time_of(behind)))
    is_job = collection is Watched.JOBS
    found: dict[str, tuple[Route, Standing | None]] = {}
    for row in rows:
        try:
            found[row["_id"]] = _route_of(row), _standing_of(row) if is_job else None
        except Exception as error:  # whatever is stored: one document must not end the feed
            report(collection, row["_id"], error)
    return found


def _minimal_change(event: Document) -> Iterator[Change]:
    """Make the change that says no more than that there was one, if the event tells of what."""
    with suppress(Exception):
        full = event.get("fullDocument")
        is_deleted = event["operationType"] == "delete"
        yield Change(
            *_place_of(event, ChangeType.DELETED if is_deleted else ChangeType.CHANGED),
            route=_route_of(full) if isinstance(full, Mapping) else None,
        )


def _document_of(event: Document) -> tuple[str, object]:
    """Name the document that an event is of, as far as it can be read."""
    try:
        return event["ns"]["coll"], event["documentKey"]["_id"]
    except Exception:  # undecodable to its root, or no event of a document
        return "unknown", None


def _inserted(event: Document) -> Change:
    full = event["fullDocument"]
    return Change(
        *_place_of(event, ChangeType.INSERTED),
        version=_version_in(full),
        route=_route_of(full),
        entries=_checked(full.get("timeline", ())),
        scheduled_time=_due_in(full),
    )


def _replaced(event: Document) -> Change:
    full = event["fullDocument"]
    return Change(
        *_place_of(event, ChangeType.CHANGED),
        version=_version_in(full),
        route=_route_of(full),
        entries=_checked(_newest_entries(full)),
        scheduled_time=_due_in(full),
    )


def _updated(event: Document) -> Change:
    fields = event["updateDescription"]["updatedFields"]
    appended = [
        fields[name] for name in fields if name.startswith("timeline.") and name[9:].isdigit()
    ]
    if (farewell := fields.get("deleted")) is not None:
        return Change(*_place_of(event, ChangeType.DELETED), route=_route_of(farewell))
    routed = appended[-1] if appended else None
    return Change(
        *_place_of(event, ChangeType.CHANGED),
        version=_version_in(fields),
        route=_route_of(routed) if routed else None,
        entries=_checked(appended),
        scheduled_time=_due_in(fields),
    )


def _deleted(event: Document) -> Change:
    return Change(*_place_of(event, ChangeType.DELETED))


_DECODERS: Final[dict[str, Callable[[Document], Change]]] = {
    "insert": _inserted,
    "update": _updated,
    "replace": _replaced,
    "delete": _deleted,
}


def _place_of(event: Document, type_: ChangeType) -> tuple[Watched, str, ChangeType, Position]:
    return (
        _WATCHED[event["ns"]["coll"]],
        _id_of(event),
        type_,
        Position(event["_id"]["_data"]),
    )


def _id_of(event: Document) -> str:
    document_id = event["documentKey"]["_id"]
    if type(document_id) is not str:  # a Code is a str, too, but has no hash
        raise TypeError(f"the _id is {document_id!r}, and no text")
    return document_id


def _version_in(fields: Document) -> int | None:
    version: int | None = fields.get("version")
    if version is not None and not isinstance(version, int):
        raise TypeError("the version is no whole number")
    return version


def _checked(entries: Sequence[Document]) -> Sequence[Document]:
    """Require what every reader counts on; raises as decoding does."""
    for entry in entries:
        is_entry = (
            isinstance(entry["seq"], int)
            and isinstance(entry["at"], datetime)
            and entry["state"] in _STATES
            and entry.get("from") in _SOURCES
        )
        if not is_entry:
            raise ValueError("not an entry of a timeline")
        _due_in(entry)
    return entries


def _due_in(fields: Document) -> datetime | None:
    """Read when a job is due, if that is said; raises as decoding does."""
    due = fields.get("scheduledTime")
    if due is not None and not isinstance(due, datetime):
        raise ValueError("not a time at which a job is due")
    return due and due.replace(tzinfo=UTC)


def _newest_entries(full: Document) -> Sequence[Document]:
    """Find what a replacing write appended: a move appends one entry, or marks each it adds."""
    timeline: Sequence[Document] = full.get("timeline", ())
    marked = [entry for entry in timeline if entry.get("version") == full.get("version")]
    return marked or timeline[-1:]


def _standing_of(fields: Document) -> Standing | None:
    """Tell where a job stands; None if its document does not say, written behind our back."""
    try:
        return Standing(JobState(fields["state"]), _due_in(fields))
    except (KeyError, ValueError):
        return None


def _route_of(fields: Document) -> Route:
    get = fields.get
    cause = get("cause") or {}
    names = (get("owner"), get("functionName"), get("queue"), get("taskId"))
    try:
        return _route(names, bool(get("internal")), (cause.get("kind"), cause.get("id")))
    except (TypeError, ValueError, AttributeError):  # written past us: told by what is as usual
        known = [name if type(name) is str else None for name in names]
        return _route(tuple(known), bool(get("internal")), (None, None))


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
