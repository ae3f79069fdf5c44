"""What the sweeper finds and deletes: orphans, whose next job is missing, and what has ended.

Finished jobs have a time of their own, and MongoDB's TTL index deletes them.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, Final

from pymongo import ASCENDING

from ostinato.jobs.bulk_actions import BulkActionState
from ostinato.jobs.lifecycle import ACTIVE_STATES
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import (
    BATCHES,
    BULK_ACTIONS,
    CRONS,
    FAILURES,
    ITEMS,
    JOBS,
    REQUESTS,
    TASK_CONFIGS,
)
from ostinato.jobs.records import BatchState, RequestState

ORPHANS: Final = 200  # of each kind per sweep, every second; the next sweep continues from there
DELETED: Final = 1_000  # of each kind per sweep


ENDED_BATCHES: Final = [
    each.value for each in BatchState if each not in (BatchState.RUNNING, BatchState.PAUSED)
]
ENDED_REQUESTS: Final = [each.value for each in RequestState if each is not RequestState.PENDING]

ENDED: Final[Sequence[tuple[str, str, Document]]] = (
    (BATCHES, "completedAt", {"state": {"$in": ENDED_BATCHES}}),
    (REQUESTS, "completedAt", {"state": {"$in": ENDED_REQUESTS}}),
    (BULK_ACTIONS, "completedAt", {"state": {"$ne": BulkActionState.RUNNING.value}}),
    (FAILURES, "resolvedAt", {}),
    (ITEMS, "processedAt", {"processed": True}),
    (TASK_CONFIGS, "stoppedAt", {"enabled": False}),
)
"""The collections, the indexed field that contains the time of the end, and a filter."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A document whose next job seems to be missing."""

    id: str
    owner: str | None


class OrphanFinder:
    """Scans each kind in batches by id, so that permanent orphans do not hide the rest."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._positions: dict[str, str] = {}

    async def crons(self, before: datetime) -> list[Orphan]:
        """Find enabled crons that were due before `before` and have no pending tick."""
        return await self._without_job(CRONS, {"enabled": True, "nextRunTime": {"$lt": before}})

    async def recurring_tasks(self, before: datetime) -> list[Orphan]:
        due = {"enabled": True, "nextRunTime": {"$lt": before}}
        return await self._without_job(TASK_CONFIGS, due)

    async def batches(self, before: datetime) -> list[Orphan]:
        """Find running batches without a next page; ignores `before`."""
        return await self._without_job(BATCHES, {"state": BatchState.RUNNING.value})

    async def bulk_actions(self, before: datetime) -> list[Orphan]:
        """Find running bulk actions without a next page; ignores `before`."""
        return await self._without_job(BULK_ACTIONS, {"state": BulkActionState.RUNNING.value})

    async def requests(self, before: datetime) -> list[Orphan]:
        """Find pending requests that timed out before `before`, or are older and lack a job.

        Those without a handler have no job. The bound of `timeoutAt` lets both use the index.
        """
        pending = {"state": RequestState.PENDING.value}
        timed_out = await self._read(REQUESTS, {**pending, "timeoutAt": {"$lt": before}}, "timeout")
        old = {
            **pending,
            "timeoutAt": {"$gte": before},
            "createdAt": {"$lt": before},
            "processJobId": {"$ne": None},
        }
        jobless = await self._without_job(REQUESTS, old, "processJobId")
        return [*_orphans(timed_out), *jobless]

    async def _without_job(
        self, collection: str, filter_: Mapping[str, Any], job_field: str = "schedulerJobId"
    ) -> list[Orphan]:
        rows = await self._read(collection, filter_, collection)
        job_ids = [row[job_field] for row in rows if type(row.get(job_field)) is str]
        found = self._mongo[JOBS].find(
            {"_id": {"$in": job_ids}, "state": {"$in": sorted(ACTIVE_STATES)}}, {"_id": 1}
        )
        alive = {job["_id"] for job in await found.to_list(None)} if job_ids else set()
        return _orphans(row for row in rows if not _is_in(row.get(job_field), alive))

    async def _read(self, collection: str, filter_: Mapping[str, Any], scan: str) -> list[Document]:
        """Read the next batch in id order, wrapping around at the end."""
        rows = self._mongo[collection].find(
            # Ostinato's ids are strings; the filter skips all others.
            {**filter_, "_id": {"$gt": self._positions.get(scan, "")}},
            {"owner": 1, "schedulerJobId": 1, "processJobId": 1},
            sort=[("_id", ASCENDING)],
            limit=ORPHANS,
            max_time_ms=5_000,
        )
        found: list[Document] = await rows.to_list(None)
        self._positions[scan] = found[-1]["_id"] if len(found) == ORPHANS else ""
        return found


def _orphans(rows: Iterable[Document]) -> list[Orphan]:
    # An orphan with a malformed owner cannot be repaired: it belongs to no viewer.
    return [
        Orphan(row["_id"], row.get("owner"))
        for row in rows
        if type(row.get("owner")) in (str, NoneType)
    ]


def _is_in(job_id: object, alive: Collection[str]) -> bool:
    return type(job_id) is str and job_id in alive  # bson.Code subclasses str, but is not hashable


async def delete_expired(mongo: Mongo, before: datetime) -> dict[str, int]:
    """Delete what ended before `before`, at most DELETED of each kind.

    Returns the number of deleted documents, by collection.
    """
    deleted = await asyncio.gather(*(_delete(mongo, before, *each) for each in ENDED))
    return dict(zip((each[0] for each in ENDED), deleted, strict=True))


async def _delete(
    mongo: Mongo, before: datetime, collection: str, field: str, is_ended: Document
) -> int:
    expired = {field: {"$lt": before}, **is_ended}
    found = mongo[collection].find(expired, {"_id": 1}, sort=[(field, 1)], limit=DELETED)
    ids = [document["_id"] for document in await found.to_list(None)]
    if not ids:
        return 0
    # Again with the filter: a task may have been started in the meantime.
    result = await mongo[collection].delete_many({"_id": {"$in": ids}, **expired})
    return result.deleted_count
