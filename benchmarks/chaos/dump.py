"""Dumps the database at the end of a run to a file, and reads the file."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion

from benchmarks.chaos.installation import DATABASE, Mongo
from benchmarks.chaos.ledger import EFFECTS, TALLIES

COLLECTIONS: Final = (
    *("jobs", "failures", "crons", "cronTicks", "taskConfigs"),
    *("requests", "batches", "items", "bulkActions"),
    *(EFFECTS, TALLIES),
)
TIMESTAMP: Final = "$instant"
OTHER: Final = "$other"
CODEC_OPTIONS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
"""Malformed documents contain dates outside the range of Python."""

Document = dict[str, Any]
Dump = dict[str, list[Document]]


def write(mongo: Mongo, path: Path, database: str = DATABASE) -> None:
    """Write a line for each document, from one snapshot: the installation may still be writing."""
    with path.open("w") as file, mongo.start_session(snapshot=True) as session:
        db = mongo.get_database(database, codec_options=CODEC_OPTIONS)
        for collection in COLLECTIONS:
            for document in db[collection].find({}, session=session):
                line = {"in": collection, "document": document}
                file.write(json.dumps(line, default=encoded) + "\n")


def read(lines: Iterable[str]) -> Dump:
    """Return the documents of each collection."""
    found: Dump = {collection: [] for collection in COLLECTIONS}
    for line in lines:
        entry = json.loads(line, object_hook=_decoded)
        found[entry["in"]].append(entry["document"])
    return found


def encoded(value: object) -> object:
    if isinstance(value, datetime):
        return {TIMESTAMP: value.isoformat()}
    return {OTHER: repr(value)}  # a type that well-formed documents do not contain


def _decoded(found: dict[str, Any]) -> Any:
    return datetime.fromisoformat(found[TIMESTAMP]) if TIMESTAMP in found else found
