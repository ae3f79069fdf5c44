"""Writes what the database holds at the end into one file, and reads it again."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion

from benchmarks.chaos.installation import DATABASE, Mongo
from benchmarks.chaos.ledger import EFFECTS, TALLIES

COLLECTIONS: Final = (
    *("jobs", "failures", "crons", "taskConfigs", "requests", "batches"),
    *(EFFECTS, TALLIES),
)
INSTANT: Final = "$instant"
OTHER: Final = "$other"
READABLE: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
"""Damaged documents hold dates that Python has no room for."""

Document = dict[str, Any]
Dump = dict[str, list[Document]]


def write(mongo: Mongo, path: Path, database: str = DATABASE) -> None:
    """Write a line for each document, all as of one moment: work may go on meanwhile."""
    with path.open("w") as file, mongo.start_session(snapshot=True) as session:
        base = mongo.get_database(database, codec_options=READABLE)
        for collection in COLLECTIONS:
            for document in base[collection].find({}, session=session):
                line = {"in": collection, "document": document}
                file.write(json.dumps(line, default=encoded) + "\n")


def read(lines: Iterable[str]) -> Dump:
    """Give each collection's documents."""
    found: Dump = {collection: [] for collection in COLLECTIONS}
    for line in lines:
        entry = json.loads(line, object_hook=_decoded)
        found[entry["in"]].append(entry["document"])
    return found


def encoded(value: object) -> object:
    if isinstance(value, datetime):
        return {INSTANT: value.isoformat()}
    return {OTHER: repr(value)}  # nothing that a job, a cron or an effect of ours holds


def _decoded(found: dict[str, Any]) -> Any:
    return datetime.fromisoformat(found[INSTANT]) if INSTANT in found else found
