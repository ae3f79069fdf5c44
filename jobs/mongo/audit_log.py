"""Writes and reads the audit log. Entries that may be lost in a crash share writes."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from ostinato.jobs.audit import AuditEntry, AuditFilter, audit_entry_from
from ostinato.jobs.ids import created_at, first_id_at, is_id
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    Document,
    Mongo,
    MongoError,
    is_transient,
    summarize,
)
from ostinato.jobs.mongo.collections import AUDIT_LOG
from ostinato.jobs.mongo.list_counts import list_counter
from ostinato.jobs.mongo.page_queries import NEWEST_FIRST, KeysetQuery, Query
from ostinato.jobs.paging import Page, Window, build_page

FLUSH_DELAY_S: Final = 0.1  # entries of this time share a write
RETRY_DELAY_S: Final = 1.0
BATCH_SIZE: Final = 1_000
MAX_WAITING: Final = 10_000  # further entries are dropped and counted: about 10 MB
DUPLICATE_KEY: Final = 11000


log = get_log(__name__)


class AuditLog:
    """The `auditLog` collection. `retention_ms` is 0 if no entries are written."""

    def __init__(self, mongo: Mongo, retention_ms: int) -> None:
        self._database = mongo.database
        self._entries = mongo[AUDIT_LOG]
        self._retention = timedelta(milliseconds=retention_ms)
        self._waiting: deque[Document | UpdateOne] = deque()
        self._in_flight = 0
        self._dropped = 0
        self._flusher: asyncio.Task[None] | None = None
        self._is_closing = asyncio.Event()

    @property
    def is_on(self) -> bool:
        return bool(self._retention)

    async def begin(self, entry: AuditEntry) -> None:
        """Store an entry without its outcome; returns when MongoDB has acknowledged it."""
        await self._entries.insert_one({**entry.document(), "purgeAt": self._purge_at(entry.id)})

    def record(self, entry: AuditEntry) -> None:
        """Store an entry soon; it is lost if the process ends first."""
        self._submit(entry.document())

    def finish(self, entry: AuditEntry) -> None:
        """Add the outcome to an entry soon."""
        fields = {"outcome": entry.outcome, **entry.object_fields()}
        self._submit(UpdateOne({"_id": entry.id}, {"$set": fields}))

    async def find_page(self, which: AuditFilter, window: Window) -> Page[AuditEntry]:
        """Return a page of matching entries, newest first."""
        query = _query(which)
        find = KeysetQuery.of(query, NEWEST_FIRST, window)
        found = self._entries.find(find.filter, sort=find.sort, limit=find.limit)
        entries = [one for one in await found.to_list(None) if is_id(str(one["_id"]))]
        page = build_page([audit_entry_from(one) for one in entries], window)
        return replace(page, count=list_counter(self._entries, query))

    async def close(self) -> None:
        """Write the waiting entries now; logs their number if the caller is canceled."""
        self._is_closing.set()
        try:
            if self._flusher is not None:
                await self._flusher
        except asyncio.CancelledError:
            unwritten = len(self._waiting) + self._in_flight
            log.error("audit.dropped", entries=unwritten, reason="the process stops")
            raise

    def _purge_at(self, entry_id: str) -> datetime:
        return created_at(entry_id) + self._retention

    def _submit(self, write: Document | UpdateOne) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(write)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="audit-log")

    async def _flush(self) -> None:
        try:
            await self._pause(FLUSH_DELAY_S)
            while self._waiting:
                size = min(len(self._waiting), BATCH_SIZE)
                await self._write([self._waiting.popleft() for _ in range(size)])
                self._in_flight = 0
            if self._dropped:
                log.error("audit.dropped", entries=self._dropped, reason="too many entries waited")
                self._dropped = 0
        finally:
            self._flusher = None

    async def _write(self, writes: list[Document | UpdateOne]) -> None:
        """Write until MongoDB has stored or rejected the writes; a repeated write has no effect."""
        self._in_flight = len(writes)
        while True:
            try:
                await self._insert([one for one in writes if not isinstance(one, UpdateOne)])
                if updates := [one for one in writes if isinstance(one, UpdateOne)]:
                    await self._entries.bulk_write(updates, ordered=False)
            except (MongoError, *ENCODING_ERRORS) as error:
                if not is_transient(error):
                    log.error("audit.rejected", entries=len(writes), reason=summarize(error))
                    return
            else:
                return
            await self._pause_before_retry()

    async def _insert(self, documents: list[Document]) -> None:
        """Insert entries; ignores existing ones, and logs those that MongoDB rejects.

        A command encodes all documents in C; `insert_many` also handles each in Python.
        """
        if not documents:
            return
        purge_at = self._purge_at(documents[-1]["_id"])  # of the newest
        for one in documents:
            one["purgeAt"] = purge_at
        command = {"insert": AUDIT_LOG, "documents": documents, "ordered": False}
        reply = await self._database.command(command, writeConcern={"w": "majority"})
        errors = [one for one in reply.get("writeErrors", ()) if one["code"] != DUPLICATE_KEY]
        if errors:
            failed = BulkWriteError({"writeErrors": errors})
            if is_transient(failed):
                raise failed
            log.error("audit.rejected", entries=len(errors), code=errors[0]["code"])

    async def _pause_before_retry(self) -> None:
        """Wait RETRY_DELAY_S; the start of closing ends the pause, but shortens no later one."""
        if self._is_closing.is_set():
            await asyncio.sleep(RETRY_DELAY_S)
        else:
            await self._pause(RETRY_DELAY_S)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not while the log is closing."""
        try:
            await asyncio.wait_for(self._is_closing.wait(), seconds)
        except TimeoutError:
            return
        await asyncio.sleep(0)


def _query(which: AuditFilter) -> Query:
    exact = {"user": which.user, "mutation": which.mutation}
    query: Query = {name: value for name, value in exact.items() if value is not None}
    limits = {"$gte": which.from_at, "$lt": which.to_at}
    if within := {name: first_id_at(at) for name, at in limits.items() if at is not None}:
        query["_id"] = within
    return query
