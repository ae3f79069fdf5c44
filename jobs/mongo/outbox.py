"""The `outbox` collection: follows the inserts of applications, and replaces the entries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.errors import BadRequest, Malformed
from ostinato.jobs.mongo.change_stream import ChangeStream
from ostinato.jobs.mongo.client import ENCODING_ERRORS, LENIENT_CODEC, Document, Mongo, Session
from ostinato.jobs.mongo.collections import FAILURES, JOBS, OUTBOX
from ostinato.jobs.mongo.document_reader import RAW_CODEC
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.mongo.outbox_validator import MAX_ENTRY_BYTES
from ostinato.jobs.mongo.stored_json import escape_document, restore
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.records import Json

MAX_ENTRIES: Final = 1_000  # per transaction
MAX_BYTES: Final = 8 * 1024 * 1024
CHUNK_SIZE: Final = 50  # entries, between two checks of MAX_BYTES

ENTRIES: Final[Sequence[Document]] = (
    {"$limit": MAX_ENTRIES},
    {
        # Not `$project`: it would mix these fields with those of the entry.
        "$replaceRoot": {
            "newRoot": {
                "key": {"_id": "$_id"},
                "entry": {
                    "$cond": [{"$lte": [{"$bsonSize": "$$ROOT"}, MAX_ENTRY_BYTES]}, "$$ROOT", None]
                },
            }
        }
    },
)
"""The oldest entries, as stored, and their ids: as filters, since decoding may change an id."""

EXTERNAL_INSERTS: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "operationType": "insert",
            "$or": [{"ns.coll": JOBS, "fullDocument.external": True}, {"ns.coll": OUTBOX}],
        }
    },
    {"$project": {"_id": 1, "ns.coll": 1}},
]
"""Jobs and outbox entries that applications inserted, without their content."""

DECODING_ERRORS: Final = (*ENCODING_ERRORS, ValueError, TypeError)


class EntriesChanged(Exception):
    """Another leader has replaced some of the entries."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as stored."""

    key: RawBSONDocument
    """The filter that finds it."""
    raw: RawBSONDocument | None
    """None if it is too large."""

    @property
    def key_bytes(self) -> bytes:
        return bytes(self.key.raw)

    @property
    def size_bytes(self) -> int:
        """Return the size of what was read."""
        return len(self.key.raw) + (0 if self.raw is None else len(self.raw.raw))

    @property
    def id(self) -> object:
        """Return its `_id`, or the bytes of its filter in hexadecimal if it cannot be decoded."""
        try:
            return bson.decode(self.key.raw, LENIENT_CODEC)["_id"]
        except DECODING_ERRORS:
            return self.key_bytes.hex()

    def decode(self) -> Document:
        """Return the document; raises BadRequest if it is too large, or Malformed."""
        if self.raw is None:
            raise BadRequest(f"an entry of the outbox can have {MAX_ENTRY_BYTES:,} bytes")
        try:
            return bson.decode(self.raw.raw, LENIENT_CODEC)
        except DECODING_ERRORS as error:
            raise Malformed(f"the entry cannot be decoded ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What replaces some entries."""

    jobs: list[Document] = field(default_factory=list)
    failures: list[Document] = field(default_factory=list)


Decide = Callable[[Sequence[Document]], Replacement]
"""Decides what replaces entries, given the stored jobs with their keys; may be called again."""


class OutboxStore:
    """The entries that applications have inserted."""

    def __init__(self, mongo: Mongo, jobs: JobStore) -> None:
        self._mongo = mongo
        self._jobs = jobs

    async def read(self, excluded: Collection[bytes]) -> list[StoredEntry]:
        """Read the oldest entries, up to MAX_ENTRIES and about MAX_BYTES.

        `excluded` contains the `key.raw` of entries to leave out.
        """
        keys = [RawBSONDocument(raw) for raw in excluded]
        pipeline = [{"$match": {"$nor": keys}}, *ENTRIES] if keys else [*ENTRIES]
        outbox = self._mongo.database.with_options(codec_options=RAW_CODEC)[OUTBOX]
        cursor = outbox.aggregate(pipeline, batchSize=MAX_ENTRIES)
        entries: list[StoredEntry] = []
        size_bytes = 0
        try:
            while size_bytes < MAX_BYTES and (rows := await cursor.to_list(CHUNK_SIZE)):
                entries += [StoredEntry(row["key"], row["entry"]) for row in rows]
                size_bytes += sum(entry.size_bytes for entry in entries[-len(rows) :])
        finally:
            await cursor.close()
        return entries

    async def replace(
        self, entries: Sequence[StoredEntry], used_keys: Document | None, decide: Decide
    ) -> Replacement:
        """Replace entries in one transaction; raises EntriesChanged if any is gone."""
        keys = {"$or": [entry.key for entry in entries]}

        async def body(session: Session) -> Replacement:
            deleted = await self._mongo[OUTBOX].delete_many(keys, session=session)
            if deleted.deleted_count != len(entries):
                raise EntriesChanged
            jobs = self._mongo[JOBS].find(used_keys, session=session) if used_keys else None
            replacement = decide([] if jobs is None else await jobs.to_list(None))
            if replacement.jobs:
                await self._jobs.insert_in_transaction(session, replacement.jobs)
            if replacement.failures:
                failures = [escape_document(failure) for failure in replacement.failures]
                await self._mongo[FAILURES].insert_many(failures, session=session)
            return replacement

        return await run_shielded_transaction(self._mongo, body)


def entry_json(document: Mapping[str, Any]) -> Json:
    """Return an entry as JSON, for its failure."""
    return restore(dict(document))


async def follow_external_inserts(
    mongo: Mongo,
    on_jobs: Callable[[], None],
    on_entries: Callable[[], None],
    is_busy: Callable[[], bool],
) -> None:
    """Call `on_jobs` after commits of transactions in which applications inserted jobs, and
    `on_entries` after those in which they inserted outbox entries.

    While `is_busy` returns True, that may take BUSY_POLL_S longer. Runs until canceled. Several
    commits may share a call; both are also called at the start, since earlier commits may have been
    missed. Raises HistoryLost: the caller starts it again.
    """
    async with ChangeStream(mongo, EXTERNAL_INSERTS, is_busy) as stream:
        await stream.open_now()
        on_jobs()
        on_entries()
        async for batch in stream.batches():
            collections = {event["ns"]["coll"] for event in batch.events}
            if JOBS in collections:
                on_jobs()
            if OUTBOX in collections:
                on_entries()
