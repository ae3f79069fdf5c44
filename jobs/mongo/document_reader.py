"""Reads documents as records: without the large fields that nobody reads, and in slices."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import bson
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.alerts import Alert, alert_from
from ostinato.jobs.bulk_actions import BulkAction, bulk_action_from
from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.cron_ledger import CronTick, cron_tick_from
from ostinato.jobs.documents import (
    batch_from,
    cron_from,
    failure_from,
    job_from,
    recurring_task_from,
    request_from,
)
from ostinato.jobs.errors import Malformed, PayloadTooLarge
from ostinato.jobs.ids import is_id
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import LENIENT_CODEC, Cursor, Document, Mongo
from ostinato.jobs.mongo.collections import (
    ALERTS,
    BATCHES,
    BULK_ACTIONS,
    CRON_TICKS,
    CRONS,
    FAILURES,
    JOBS,
    REQUESTS,
    TASK_CONFIGS,
)
from ostinato.jobs.mongo.page_queries import Query
from ostinato.jobs.mongo.stored_json import restore_document
from ostinato.jobs.read_budget import ReadBudget
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request

MAX_DECODING_S: Final = 0.005  # without letting other tasks run
CHUNK_SIZE: Final = 32  # documents that are counted, and then decoded
RAW_CODEC: Final = LENIENT_CODEC.with_options(document_class=RawBSONDocument)
LARGE_FIELDS: Final[Mapping[str, object]] = {
    "args": {},
    "data": {},
    "lateAnswer": None,
    "result": None,
    "timeline": (),
}
"""Fields of up to megabytes, with the values that records have if they are not read."""

R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)
Find: TypeAlias = Callable[..., Cursor]
"""Starts a query of a database; takes the driver's options."""


@dataclass(frozen=True, slots=True)
class RecordReader:
    """The collection and decoder of a record type."""

    collection: str
    record_from: Callable[[Mapping[str, object]], object]
    large_fields: frozenset[str] = frozenset()

    def decode_document(self, document: Document) -> object:
        """Decode a document; raises Malformed."""
        record = read_as(self.record_from, restore_document(document))
        if not is_id(document["_id"]):  # unusable as an argument or a cursor
            raise Malformed(f"_id {document['_id']!r} must have 24 hexadecimal digits")
        return record

    def record_of(self, document: Document) -> object:
        """Decode a document; logs and raises Malformed."""
        try:
            return self.decode_document(document)
        except Malformed as error:
            report(self.collection, document["_id"], error)
            raise


READERS: Final[dict[type, RecordReader]] = {
    Job: RecordReader(JOBS, job_from, frozenset({"args", "result", "timeline"})),
    Cron: RecordReader(CRONS, cron_from, frozenset({"args"})),
    CronTick: RecordReader(CRON_TICKS, cron_tick_from),
    RecurringTask: RecordReader(TASK_CONFIGS, recurring_task_from, frozenset({"args"})),
    Batch: RecordReader(BATCHES, batch_from),
    Request: RecordReader(REQUESTS, request_from, frozenset({"data", "result", "lateAnswer"})),
    BulkAction: RecordReader(BULK_ACTIONS, bulk_action_from),
    Failure: RecordReader(FAILURES, failure_from, frozenset({"data"})),
    Alert: RecordReader(ALERTS, alert_from),
}


@dataclass(frozen=True, slots=True)
class ReadDocument(Generic[R]):
    """A document that was read, of any type of id."""

    id: object
    record: R | Malformed


class DocumentReader(Generic[R]):
    """Reads documents of one kind; `unread` names fields that are not read."""

    def __init__(self, mongo: Mongo, kind: type[R], unread: frozenset[str]) -> None:
        self._mongo = mongo
        self._reader = READERS[kind]
        self._omitted = {name: LARGE_FIELDS[name] for name in self._reader.large_fields & unread}
        self.is_large = not self._reader.large_fields <= unread
        """Whether the documents may have a large field."""

    async def read(self, find: Find, min_cluster_time: ClusterTime | None) -> list[ReadDocument[R]]:
        """Read all documents; malformed ones become their error."""
        query = partial(find, self._mongo.database)
        documents = await self._mongo.causal_read(query, min_cluster_time)
        return await self._decode(documents)

    async def read_within(self, budget: ReadBudget, find: Find) -> list[ReadDocument[R]]:
        """Read all documents, at most one reply of 16 MB beyond the budget.

        Raises PayloadTooLarge.
        """
        found: list[ReadDocument[R]] = []
        async with budget.lock, self._mongo.large_reads.turn(budget.user):
            budget.require_left()
            cursor = find(self._mongo.database.with_options(codec_options=RAW_CODEC))
            try:
                while documents := await cursor.to_list(CHUNK_SIZE):
                    found += await self._decode(documents)
                    size_bytes = sum(len(each.raw) for each in documents)
                    documents.clear()
                    budget.charge(size_bytes)
            except PayloadTooLarge:
                found.clear()  # the traceback keeps this frame until the next garbage collection
                raise
            finally:
                await cursor.close()
                del cursor
        return found

    async def _decode(
        self, documents: Iterable[Document | RawBSONDocument]
    ) -> list[ReadDocument[R]]:
        """Decode documents, in order.

        Lets other tasks run every few milliseconds: a job with a full timeline takes 4 ms.
        """
        decoded: list[ReadDocument[R]] = []
        waiting = iter(documents)
        while True:
            async with self._mongo.decoding_lock:
                if self._decode_some(waiting, decoded):
                    return decoded
            await asyncio.sleep(0)

    def _decode_some(
        self, waiting: Iterator[Document | RawBSONDocument], decoded: list[ReadDocument[R]]
    ) -> bool:
        """Decode for MAX_DECODING_S; return whether no document is left."""
        clock = asyncio.get_running_loop().time
        end = clock() + MAX_DECODING_S
        for given in waiting:
            document = _plain(given)
            if self._omitted:
                document = {**document, **self._omitted}
            decoded.append(ReadDocument(document["_id"], self._record_of(document)))
            if clock() > end:
                return False
        return True

    def _record_of(self, document: Document) -> R | Malformed:
        try:
            return cast("R", self._reader.record_of(document))
        except Malformed as error:
            return error


def _plain(document: Document | RawBSONDocument) -> Document:
    if isinstance(document, RawBSONDocument):
        return bson.decode(document.raw, LENIENT_CODEC)
    return document


def find_in(collection: str, query: Query, projection: Query | None = None, **options: Any) -> Find:
    """Return the query of a collection."""

    def find(database: Any, **more: Any) -> Cursor:
        return cast("Cursor", database[collection].find(query, projection, **options, **more))

    return find


def aggregate(pipeline: list[Query]) -> Find:
    """Return the query of a pipeline."""
    return lambda database, **options: database.aggregate(pipeline, **options)


def projection_without(kind: type, unread: frozenset[str]) -> Query | None:
    """Return the projection that leaves out the fields that are not read; None if it has none."""
    return dict.fromkeys(READERS[kind].large_fields & unread, 0) or None
