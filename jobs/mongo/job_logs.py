"""The collection `jobLogs`: lines of functions, several in one document.

The `_id` of a document is that of its job, followed by the position of its first line, so that the
ids of a job are a range, in the order of the log.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError

from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.errors import Malformed
from ostinato.jobs.ids import is_id
from ostinato.jobs.job_logs import (
    LinePosition,
    LogBatch,
    LogLevel,
    LogLine,
    UnstoredLine,
    fields_from,
    position_from,
)
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOB_LOGS, JOBS
from ostinato.jobs.paging import Page, Window, build_page
from ostinato.jobs.records import JobInfo

DUPLICATE_KEY: Final = 11000
ID_CHARS: Final = 24
AFTER_ALL: Final = "g"
"""Sorts after each hexadecimal digit."""
SWEPT: Final = 1_000  # ids that a sweep checks


class StoredSize(NamedTuple):
    """What a stored batch takes of its job's limits."""

    id: str
    lines: int
    size_bytes: int


def batch_document(job: JobInfo, lines: Sequence[UnstoredLine]) -> dict[str, Any]:
    """Build the document of consecutive lines of an attempt."""
    first, last = (LinePosition(job.attempt, line.seq).key() for line in (lines[0], lines[-1]))
    return {
        "_id": job.id + first,
        "jobId": job.id,
        "owner": job.owner,
        "attempt": job.attempt,
        "last": last,
        "count": len(lines),
        "bytes": sum(line.size_bytes for line in lines),
        "lines": [line._asdict() | {"level": line.level.value} for line in lines],
    }


def batch_from(document: Mapping[str, Any]) -> LogBatch:
    attempt = document["attempt"]
    return LogBatch(
        id=document["_id"],
        job_id=document["jobId"],
        owner=document["owner"],
        lines=tuple(
            LogLine(
                attempt=attempt,
                seq=line["seq"],
                at=line["at"],
                level=LogLevel(line["level"]),
                message=line["message"],
                fields=fields_from(line["fields"]),
            )
            for line in document["lines"]
        ),
    )


def job_of(batch_id: str) -> str:
    """Return the job of a batch; raises ValueError if it is not an id of one."""
    if not is_id(job_id := batch_id[:ID_CHARS]):
        raise ValueError(f"_id {batch_id!r} does not start with the id of a job")
    return job_id


class JobLogStore:
    """Writes and reads the lines of jobs."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._logs = mongo[JOB_LOGS]

    async def insert(self, documents: Sequence[Document]) -> None:
        """Insert batches; those that exist are left as they are, so that it can be repeated."""
        try:
            await self._logs.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    async def read_sizes(self, job_id: str) -> list[StoredSize]:
        """Return the sizes of a job's batches, oldest first."""
        found = self._logs.find(
            _of_job(job_id), {"count": 1, "bytes": 1}, sort=[("_id", ASCENDING)]
        )
        return [
            StoredSize(each["_id"], _number(each.get("count")), _number(each.get("bytes")))
            for each in await found.to_list(None)
        ]

    async def delete(self, ids: Collection[str]) -> None:
        await self._logs.delete_many({"_id": {"$in": list(ids)}})

    async def find_page(
        self, job_id: str, window: Window, min_cluster_time: ClusterTime | None = None
    ) -> Page[LogLine]:
        """Return a page of a job's lines, oldest first, as of a time or later.

        Raises BadRequest for a position that is not one of a line.
        """
        after, before = position_from(window.after), position_from(window.before)
        query = _of_job(job_id)
        if after is not None:
            query["last"] = {"$gt": after.key()}
        if before is not None:
            query["_id"]["$lt"] = job_id + before.key()
        direction = DESCENDING if window.backward else ASCENDING
        most = window.limit + 1  # as many batches are enough: none is empty

        def find(**options: Any) -> Any:
            return self._logs.find(query, sort=[("_id", direction)], limit=most, **options)

        found: list[LogLine] = []
        for document in await self._mongo.causal_read(find, min_cluster_time):
            lines = [line for line in _lines_of(document) if _is_within(line, after, before)]
            found += reversed(lines) if window.backward else lines
        return build_page(found[:most], window)

    async def find_batches(self, ids: Collection[str], time: ClusterTime) -> dict[str, LogBatch]:
        """Return the existing batches with these ids, as of `time` or later."""
        query = {"_id": {"$in": list(ids)}}

        def find(**options: Any) -> Any:
            return self._logs.find(query, **options)

        documents = await self._mongo.causal_read(find, time)
        batches = filter(None, map(_read, documents))
        return {batch.id: batch for batch in batches}

    async def delete_orphans(self, after: str) -> tuple[int, str]:
        """Delete the lines of jobs that do not exist, of the next SWEPT batches.

        Returns the number of deleted batches, and where the next call continues.
        """
        rows = self._logs.find(
            {"_id": {"$gt": after}}, {"_id": 1}, sort=[("_id", ASCENDING)], limit=SWEPT
        )
        ids = [each["_id"] for each in await rows.to_list(None) if type(each["_id"]) is str]
        if not ids:
            return 0, ""
        jobs = {batch_id[:ID_CHARS] for batch_id in ids}
        existing = self._mongo[JOBS].find({"_id": {"$in": list(jobs)}}, {"_id": 1})
        missing = jobs - {each["_id"] for each in await existing.to_list(None)}
        orphans = [batch_id for batch_id in ids if batch_id[:ID_CHARS] in missing]
        if orphans:
            await self.delete(orphans)
        return len(orphans), ids[-1] if len(ids) == SWEPT else ""


def _of_job(job_id: str) -> dict[str, Any]:
    return {"_id": {"$gte": job_id, "$lt": job_id + AFTER_ALL}}


def _is_within(line: LogLine, after: LinePosition | None, before: LinePosition | None) -> bool:
    return (after is None or line.position > after) and (before is None or line.position < before)


def _lines_of(document: Document) -> Iterable[LogLine]:
    batch = _read(document)
    return batch.lines if batch else ()


def _read(document: Document) -> LogBatch | None:
    """Decode a batch; a malformed one is logged and left out."""
    try:
        return read_as(batch_from, document)
    except Malformed as error:
        report(JOB_LOGS, document["_id"], error)
        return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
