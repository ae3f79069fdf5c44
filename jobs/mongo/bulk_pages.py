"""Reads and changes the pages of bulk actions, in the transaction of the page."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from ostinato.jobs.bulk_actions import BulkActionKind, BulkPage, BulkRow, BulkRows
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.ids import is_id
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.manual_changes import delete_failures, resolution
from ostinato.jobs.mongo.page_queries import (
    Query,
    failure_filter_query,
    job_filter_query,
    owned_by,
)
from ostinato.jobs.records import JobState

PAGE_SIZE: Final = 200  # jobs per transaction, which holds them for some 50 ms
SCAN_SIZE: Final = 2_000  # documents that a page reads at most, whatever its filter matches
INDEXED: Final[tuple[str, ...]] = (
    "_id",
    "cause.id",
    "internal",
    "state",
    "functionName",
    "tags",
    "key",
    "$or",
    "fingerprint",
)
"""The fields of filters on jobs that choose the documents to scan; the others are compared."""
IS_VALID: Final = {
    "$and": [
        {"$isArray": "$timeline"},
        *({"$isNumber": f"${name}"} for name in ("version", "attempt", "maxAttempts")),
        {"$isNumber": "$retry.retries"},
        {"$eq": [{"$type": "$lane"}, "string"]},
    ]
}
ROW: Final[Document] = {
    "owner": 1,
    "functionName": 1,
    "state": 1,
    "attempt": 1,
    "retries": "$retry.retries",
    "jobId": 1,
    "isValid": IS_VALID,
    "hasRoom": {"$cond": [IS_VALID, transitions.HAS_TIMELINE_ROOM, False]},
}


class BulkPages:
    """The pages of one database; each method is part of the caller's transaction."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._jobs = mongo[JOBS]
        self._failures = mongo[FAILURES]

    async def read(self, session: Session, page: BulkPage) -> BulkRows:
        """Read the next matching objects in the order of their ids."""
        chosen, compared = _queries(page)
        collection = self._jobs if isinstance(page.which, JobFilter) else self._failures
        pipeline: list[Query] = [
            {"$match": chosen},
            {"$sort": {"_id": 1}},
            {"$limit": SCAN_SIZE},
            {
                "$facet": {
                    "scanned": [
                        {"$group": {"_id": None, "n": {"$sum": 1}, "last": {"$max": "$_id"}}}
                    ],
                    "rows": [{"$match": compared}, {"$limit": PAGE_SIZE}, {"$project": ROW}],
                }
            },
        ]
        (found,) = await collection.aggregate(pipeline, session=session).to_list(None)
        rows = tuple(_row(one) for one in found["rows"])
        if page.kind is BulkActionKind.RETRY_FAILURES:
            rows = await self._with_jobs(session, rows)
        if len(rows) == PAGE_SIZE:
            return BulkRows(rows=rows, last_id=rows[-1].id)
        scanned = found["scanned"]
        at_end = not scanned or scanned[0]["n"] < SCAN_SIZE
        return BulkRows(rows=rows, last_id=None if at_end else scanned[0]["last"])

    async def _with_jobs(self, session: Session, rows: Sequence[BulkRow]) -> tuple[BulkRow, ...]:
        """Return the rows of failures with what is known of their jobs."""
        ids = [row.job_id for row in rows if row.job_id is not None]
        failed = {"_id": {"$in": ids}, "state": JobState.FAILED.value}
        pipeline: list[Query] = [{"$match": failed}, {"$project": ROW}]
        found = await self._jobs.aggregate(pipeline, session=session).to_list(None)
        jobs = {one["_id"]: _row(one) for one in found}
        return tuple(
            replace(job, id=row.id, job_id=row.job_id)
            if (job := jobs.get(row.job_id)) is not None
            else replace(row, has_job=False)
            for row in rows
        )

    async def cancel(
        self, session: Session, rows: Sequence[BulkRow], clock_time: ClockTime, retention_ms: int
    ) -> None:
        """Cancel pending jobs, and request the cancellation of running ones."""
        at = transitions.now(clock_time)
        for name, is_running in (
            (TransitionName.CANCEL, False),
            (TransitionName.REQUEST_CANCEL, True),
        ):
            if ids := [row.id for row in rows if row.is_running is is_running]:
                update = transitions.pipeline(name, at, retention_ms=retention_ms)
                guard = {**transitions.guard(name, ids), "cancelRequestedAt": None}
                await self._jobs.update_many(guard, update, session=session)

    async def retry(
        self, session: Session, rows: Sequence[BulkRow], clock_time: ClockTime, by: str | None
    ) -> None:
        """Start another set of attempts of failed or canceled jobs, and delete their failures.

        `by` is the user who asked for it.
        """
        ids = [row.job_id or row.id for row in rows]
        event = {} if by is None else {"by": transitions.literal(by)}
        await self._jobs.update_many(
            transitions.guard(TransitionName.MANUAL_RETRY, ids),
            transitions.pipeline(
                TransitionName.MANUAL_RETRY,
                transitions.now(clock_time),
                fields={"maxAttempts": {"$add": ["$attempt", "$retry.retries", 1]}},
                event=event,
            ),
            session=session,
        )
        await delete_failures(self._mongo, session, [*{*ids, *(row.id for row in rows)}])

    async def reschedule(
        self, session: Session, rows: Sequence[BulkRow], clock_time: ClockTime, due: datetime
    ) -> None:
        """Change when pending jobs are due."""
        await self._jobs.update_many(
            transitions.guard(TransitionName.RESCHEDULE, [row.id for row in rows]),
            transitions.pipeline(
                TransitionName.RESCHEDULE,
                transitions.now(clock_time),
                fields={"scheduledTime": due},
                event={"nextRunAt": due},
            ),
            session=session,
        )

    async def resolve(
        self,
        session: Session,
        rows: Sequence[BulkRow],
        clock_time: ClockTime,
        retention_ms_of: Callable[[str], int],
    ) -> None:
        """Resolve failures, and schedule the purge of their jobs."""
        await self._failures.update_many(
            {"_id": {"$in": [row.id for row in rows]}, "resolvedAt": None},
            resolution(clock_time),
            session=session,
        )
        job_ids: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows:
            if row.job_id is not None:
                job_ids[retention_ms_of(row.function_name)].append(row.job_id)
        for retention_ms, ids in job_ids.items():
            purge_at = {"$add": [transitions.now(clock_time), retention_ms]}
            changed = {"purgeAt": purge_at, "version": {"$add": ["$version", 1]}}
            failed = {"_id": {"$in": ids}, "state": JobState.FAILED.value}
            await self._jobs.update_many(failed, [{"$set": changed}], session=session)


def _queries(page: BulkPage) -> tuple[Query, Query]:
    """Return the filter of the documents to scan, and that of those to change."""
    which, indexed = page.which, INDEXED
    if isinstance(which, FailureFilter):
        limit = page.before if which.failed_to is None else min(page.before, which.failed_to)
        query, indexed = failure_filter_query(replace(which, failed_to=limit)), ("resolvedAt",)
    else:
        limit = page.before if which.created_to is None else min(page.before, which.created_to)
        query = job_filter_query(replace(which, created_to=limit))
    chosen: Query = {name: query.pop(name) for name in indexed if name in query}
    chosen["_id"] = {**chosen.get("_id", {}), "$gt": page.after_id or ""}
    return {**owned_by(page.owner), **chosen}, query


def _row(found: Document) -> BulkRow:
    owner, job_id, name = found.get("owner"), found.get("jobId"), found.get("functionName")
    is_readable = type(name) is str and (owner is None or type(owner) is str)
    is_job = "state" in found
    if not is_readable or not is_id(found["_id"]) or (is_job and not found["isValid"]):
        return BulkRow(id=found["_id"], owner=None, function_name="", is_valid=False)
    return BulkRow(
        id=found["_id"],
        owner=owner,
        function_name=str(name),
        is_running=found.get("state") == JobState.IN_PROGRESS.value,
        attempt=int(found["attempt"]) if is_job else 0,
        retries=int(found["retries"]) if is_job else 0,
        has_room=bool(found["hasRoom"]),
        job_id=job_id if type(job_id) is str else None,
    )
