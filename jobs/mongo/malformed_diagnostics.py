"""Checks whether the stored documents can be decoded, within a bounded time."""

import time
from contextlib import suppress
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

from ostinato.jobs.declarations import shown
from ostinato.jobs.errors import Malformed
from ostinato.jobs.findings import Finding
from ostinato.jobs.malformed import FIX, problem_of
from ostinato.jobs.mongo.client import LENIENT_CODEC
from ostinato.jobs.mongo.document_reader import READERS, RecordReader

SUBJECT: Final = "documents"
MAX_DOCUMENTS: Final = 10_000  # of a collection: takes about a second
MAX_DURATION_S: Final = 3.0  # for a collection
MAX_NAMED: Final = 3
MAX_PROBLEM_CHARS: Final = 200
BATCH_SIZE: Final = 100  # documents may be large, and the time is checked between two

Rows = Database[dict[str, Any]]


def inspect_documents(database: Rows) -> list[Finding]:
    """Decode the newest documents of each collection; one finding per problem."""
    lenient = database.with_options(codec_options=LENIENT_CODEC)
    checked, problems = 0, []
    for reader in READERS.values():
        check = _Check(reader)
        with suppress(ExecutionTimeout):
            check.run(lenient[reader.collection])
        checked += check.checked
        problems += check.findings()
    detail = f"{checked:,} checked, the newest of each collection: all are well-formed"
    return problems or [Finding(subject=SUBJECT, detail=detail)]


class _Check:
    """The check of one collection."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self._malformed: list[object] = []
        self._problem = ""
        self.checked = 0

    def run(self, collection: Collection[dict[str, Any]]) -> None:
        """Decode documents, newest first, until one of the limits is reached."""
        deadline = time.monotonic() + MAX_DURATION_S
        newest = collection.find(batch_size=BATCH_SIZE, max_time_ms=int(MAX_DURATION_S * 1_000))
        with newest.sort("_id", -1).limit(MAX_DOCUMENTS) as cursor:
            for document in cursor:
                self._decode(document)
                if time.monotonic() > deadline:
                    return

    def _decode(self, document: dict[str, Any]) -> None:
        self.checked += 1
        try:
            self._reader.decode_document(document)
        except Malformed as error:
            self._malformed.append(document["_id"])
            self._problem = self._problem or problem_of(error)[:MAX_PROBLEM_CHARS]

    def findings(self) -> list[Finding]:
        """Return the finding about malformed documents, if there are any."""
        if not self._malformed:
            return []
        counts = f"{len(self._malformed):,} of the newest {self.checked:,}"
        named = ", ".join(map(shown, self._malformed[:MAX_NAMED]))
        detail = f"{self._reader.collection}: {counts} are malformed: {named} ({self._problem})"
        return [Finding(subject=SUBJECT, detail=detail, fix=FIX)]
