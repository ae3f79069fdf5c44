"""Reads records for clients: by id, and as keyset pages.

Every read is scoped to an owner; None means all owners, which the caller must authorize. The
snapshot of a read is at least as new as `min_cluster_time`.

Malformed documents are logged and omitted from lists; reads by id return Malformed for them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, TypeVar, cast

from ostinato.jobs.alerts import Alert
from ostinato.jobs.async_tools.batch_loader import BatchLoader
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changes import ClusterTime, Position, time_of
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.errors import Malformed
from ostinato.jobs.failure_groups import FailureGroup, page_of
from ostinato.jobs.filters import FailureFilter, JobFilter, JobOrder
from ostinato.jobs.job_logs import LogLine
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import CALENDARS, FAILURES, JOBS
from ostinato.jobs.mongo.cron_tick_reads import CronTickReads
from ostinato.jobs.mongo.document_reader import (
    READERS,
    DocumentReader,
    Find,
    ReadDocument,
    aggregate,
    find_in,
    projection_without,
)
from ostinato.jobs.mongo.failure_groups import group_failures
from ostinato.jobs.mongo.job_logs import JobLogStore
from ostinato.jobs.mongo.list_counts import list_counter
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.page_queries import (
    NEWEST_FIRST,
    KeysetQuery,
    Query,
    failure_filter_query,
    job_filter_query,
    job_page_query,
    owned_by,
)
from ostinato.jobs.paging import ListCount, Page, Window, build_page
from ostinato.jobs.read_budget import ReadBudget
from ostinato.jobs.records import (
    Batch,
    Cron,
    Failure,
    Job,
    RecurringTask,
    Request,
)
from ostinato.jobs.time_rules import Calendar, calendar_from

MALFORMED_BATCH_SIZE: Final = 100  # skipped per additional find
MAX_MALFORMED: Final = 2_000  # skipped per page

R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)


@dataclass(frozen=True, slots=True)
class Reads:
    """The reads of one database; use cases reach them as `engine.reads`."""

    mongo: Mongo
    budget: ReadBudget | None = None
    """The limit of what is read of large documents; None for no limit."""

    def within(self, budget: ReadBudget | None) -> "Reads":
        """Return the same reads with a budget; a read that exceeds it raises PayloadTooLarge."""
        return replace(self, budget=budget)

    @property
    def ticks(self) -> CronTickReads:
        """Return the reads of the ledger of crons."""
        return CronTickReads(self.mongo)

    async def find_by_ids(
        self,
        kind: type[R],
        ids: Collection[str],
        owner: str | None,
        min_cluster_time: ClusterTime | None = None,
    ) -> "Mapping[str, R | Malformed]":
        """Return the owner's records with these ids, by id, in one query."""
        if not ids:
            return {}
        query = owned_by(owner) | {"_id": {"$in": list(ids)}}
        find = find_in(READERS[kind].collection, query, batch_size=len(ids) + 1)
        return {
            str(each.id): each.record for each in await self._read(kind, find, min_cluster_time)
        }

    async def find_states(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the states of the existing jobs among `ids`, of all owners."""
        by_ids = {"_id": {"$in": list(ids)}}
        found = self.mongo[JOBS].find(by_ids, ["state"], batch_size=len(ids) + 1)
        return {row["_id"]: row["state"] for row in await found.to_list(None)}

    async def find_log_page(
        self, job_id: str, window: Window, min_cluster_time: ClusterTime | None = None
    ) -> Page[LogLine]:
        """Return a page of the lines of a job, oldest first."""
        return await JobLogStore(self.mongo).find_page(job_id, window, min_cluster_time)

    async def find_calendars(self, names: Collection[str]) -> dict[str, Calendar]:
        """Return the existing calendars with these names, by name."""
        found = self.mongo[CALENDARS].find({"_id": {"$in": list(names)}}).limit(len(names))
        return {each.name: each for each in _calendars(await found.to_list(None))}

    async def list_calendars(self, limit: int, after: str) -> list[Calendar]:
        """Return up to `limit` calendars with names after `after`, by name."""
        found = self.mongo[CALENDARS].find({"_id": {"$gt": after}}).sort("_id").limit(limit)
        return [*_calendars(await found.to_list(None))]

    async def find_one(self, kind: type[R], owner: str | None, /, **fields: str | None) -> R | None:
        """Return the record whose fields have these values; raises Malformed."""
        reader = READERS[kind]
        document = await self.mongo[reader.collection].find_one(owned_by(owner) | fields)
        return None if document is None else cast("R", reader.record_of(document))

    async def find_page(
        self, kind: type[R], owner: str | None, window: Window, /, **fields: object
    ) -> Page[R]:
        """Return a page of the records whose fields have these values, newest first."""
        query = owned_by(owner) | fields
        page = await self._page(kind, KeysetQuery.of(query, NEWEST_FIRST, window), window)
        return self._countable(page, READERS[kind].collection, query)

    async def find_job_page(
        self, owner: str | None, which: JobFilter, order: JobOrder, window: Window
    ) -> Page[Job]:
        """Return a page of matching jobs in the given order."""
        page = await self._page(Job, job_page_query(owner, which, order, window), window)
        return self._countable(page, JOBS, owned_by(owner) | job_filter_query(which))

    async def find_failure_groups(
        self, owner: str | None, which: FailureFilter, window: Window, now: datetime
    ) -> Page[FailureGroup]:
        """Return a page of the groups of the newest matching failures, newest failure first."""
        groups, is_exact = await group_failures(self.mongo, owner, which, now)
        return page_of(groups, window, is_exact=is_exact)

    async def find_failures(
        self, owner: str | None, which: FailureFilter, window: Window
    ) -> Page[Failure]:
        """Return a page of matching failures, newest first."""
        return await self.find_page(Failure, owner, window, **failure_filter_query(which))

    async def find_recorded_failures(
        self, job_ids: Collection[str], owner: str | None
    ) -> dict[str, Failure]:
        """Return the newest failure that the function of each of these jobs recorded."""
        newest: list[Query] = [{"$match": owned_by(owner)}, {"$sort": {"_id": -1}}, {"$limit": 1}]
        pipeline: list[Query] = [
            {"$documents": [{"_id": job_id} for job_id in job_ids]},
            {
                "$lookup": {
                    "from": FAILURES,
                    "localField": "_id",
                    "foreignField": "recordedById",
                    "pipeline": newest,
                    "as": "failure",
                }
            },
            {"$unwind": "$failure"},
            {"$replaceWith": "$failure"},
        ]
        found = await self._read(Failure, aggregate(pipeline))
        readable = [each.record for each in found if isinstance(each.record, Failure)]
        return {str(failure.recorded_by_id): failure for failure in readable}

    async def count_failures(self, owner: str | None, which: FailureFilter) -> ListCount:
        """Count the matching failures, up to MAX_COUNT."""
        query = owned_by(owner) | failure_filter_query(which)
        return await list_counter(self.mongo[FAILURES], query)()

    async def count_jobs(self, owner: str | None, which: JobFilter) -> ListCount:
        """Count the matching jobs, up to MAX_COUNT."""
        return await list_counter(self.mongo[JOBS], owned_by(owner) | job_filter_query(which))()

    async def find_newest(
        self,
        kind: type[R],
        owner: str | None,
        window: Window,
        min_cluster_time: ClusterTime,
        **fields: object,
    ) -> Page[R]:
        """Return the newest records of a kind other than jobs, whose fields have these values."""
        find = KeysetQuery.of(owned_by(owner) | fields, NEWEST_FIRST, window)
        return await self._page(kind, find, window, min_cluster_time)

    async def find_newest_failures(
        self, owner: str | None, which: FailureFilter, window: Window, min_cluster_time: ClusterTime
    ) -> Page[Failure]:
        """Return the newest matching failures."""
        fields = failure_filter_query(which)
        return await self.find_newest(Failure, owner, window, min_cluster_time, **fields)

    async def find_newest_jobs(
        self, owner: str | None, which: JobFilter, window: Window, min_cluster_time: ClusterTime
    ) -> Page[Job]:
        """Return the newest matching jobs."""
        find = job_page_query(owner, which, JobOrder.NEWEST, window)
        return await self._page(Job, find, window, min_cluster_time)

    async def find_job_pages_by_cause(
        self, owner: str | None, which: JobFilter, cause_ids: Collection[str], window: Window
    ) -> dict[str, Page[Job]]:
        """Return a page of jobs per cause, newest first, in one query.

        Each cause costs one index range scan of page length.
        """
        query = owned_by(owner) | job_filter_query(which)
        find = KeysetQuery.of(query, NEWEST_FIRST, window)
        projection = projection_without(Job, window.unread)
        pipeline: list[Query] = [
            {"$documents": [{"_id": cause_id} for cause_id in cause_ids]},
            {
                "$lookup": {
                    "from": JOBS,
                    "localField": "_id",
                    "foreignField": "cause.id",
                    "pipeline": [
                        {"$match": find.filter},
                        {"$sort": dict(find.sort)},
                        {"$limit": find.limit},
                        *([{"$project": projection}] if projection else []),
                    ],
                    "as": "job",
                }
            },
            # Unwound, because an array of jobs could exceed 16 MB.
            {"$unwind": "$job"},
            {"$replaceWith": "$job"},
        ]
        found: dict[str, list[Job]] = {cause_id: [] for cause_id in cause_ids}
        malformed: set[str] = set()
        for each in await self._read(Job, aggregate(pipeline), unread=window.unread):
            job = each.record
            if isinstance(job, Malformed):  # unknown cause: an array can match several ids
                malformed |= found.keys()
            else:
                found[str(job.cause.id)].append(job)
        pages = {
            cause_id: self._countable(build_page(jobs, window), JOBS, {**query, **_of(cause_id)})
            for cause_id, jobs in found.items()
        }
        for cause_id in malformed:
            one_cause = replace(which, cause_id=cause_id)
            pages[cause_id] = await self.find_job_page(owner, one_cause, JobOrder.NEWEST, window)
        return pages

    def _countable(self, page: Page[R], collection: str, query: Query) -> Page[R]:
        """Return the page of a list with a function that counts the list."""
        turn = None if self.budget is None else (self.mongo, self.budget)
        return replace(page, count=list_counter(self.mongo[collection], query, turn))

    async def _page(
        self,
        kind: type[R],
        find: KeysetQuery,
        window: Window,
        min_cluster_time: ClusterTime | None = None,
    ) -> Page[R]:
        projection = projection_without(kind, window.unread)
        skipped: list[object] = []
        while True:
            # A batch larger than the limit returns everything in one reply and leaves no cursor
            # open, which a server failure between replies would lose.
            options = {"sort": find.sort, "limit": find.limit, "batch_size": find.limit + 1}
            query = find_in(READERS[kind].collection, find.filter, projection, **options)
            found = await self._read(kind, query, min_cluster_time, window.unread)
            valid = [each.record for each in found if not isinstance(each.record, Malformed)]
            malformed = [each.id for each in found if isinstance(each.record, Malformed)]
            if not malformed or len(found) < find.limit or len(valid) > window.limit:
                return build_page(valid, window)
            skipped += malformed
            if len(skipped) > MAX_MALFORMED:
                raise Malformed(
                    f"this list contains more than {MAX_MALFORMED:,} malformed documents"
                )
            find = _skipping(find, skipped, window)

    async def _read(
        self,
        kind: type[R],
        find: Find,
        min_cluster_time: ClusterTime | None = None,
        unread: frozenset[str] = frozenset(),
    ) -> list[ReadDocument[R]]:
        reader = DocumentReader(self.mongo, kind, unread)
        if self.budget is None or min_cluster_time is not None or not reader.is_large:
            return await reader.read(find, min_cluster_time)
        return await reader.read_within(self.budget, find)


def _of(cause_id: str) -> Query:
    return {"cause.id": cause_id}


def _calendars(documents: Iterable[Query]) -> Iterator[Calendar]:
    """Decode calendars; logs malformed ones and leaves them out."""
    for document in documents:
        try:
            yield read_as(calendar_from, document)
        except Malformed as error:
            report(CALENDARS, document.get("_id"), error)


def _skipping(find: KeysetQuery, skipped: Collection[object], window: Window) -> KeysetQuery:
    """Build the same page's query without the `skipped` ids."""
    others = {"$and": [find.filter, {"_id": {"$nin": list(skipped)}}]}
    return replace(find, filter=others, limit=window.limit + 1 + MALFORMED_BATCH_SIZE)


class ObjectReader(Generic[R]):
    """Batched reads of one kind of object, of all owners: callers must check access."""

    def __init__(self, mongo: Mongo, kind: type[R]) -> None:
        self._reads = Reads(mongo)
        self._kind: type[R] = kind
        self._after = Position("")
        self._loader: BatchLoader[str, R] = BatchLoader(self._read)

    async def load(self, ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Return the existing objects by id, as of `after` or later. The result may include objects
        that concurrent callers requested."""
        self._after = max(self._after, after)
        found = await self._loader.load_many(ids)
        return {name: each for name, each in found.items() if not isinstance(each, Exception)}

    async def _read(self, ids: Collection[str]) -> Mapping[str, R | Exception]:
        time = time_of(self._after)
        return await MongoRetry().run(lambda: self._reads.find_by_ids(self._kind, ids, None, time))
