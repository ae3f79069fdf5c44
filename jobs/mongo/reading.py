"""Reads for clients: objects by id, and keyset pages of lists. Every read is scoped to an owner.

An `owner` of None reads everybody's documents: whether that is allowed is the caller's decision.

`min_cluster_time` asks for all that was committed up to that time.

A document that is not of the form that Ostinato writes is left out of lists, and logged; whoever
asks for it by its id is told.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar, cast

from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.documents import (
    batch_from,
    cron_from,
    failure_from,
    job_from,
    recurring_task_from,
    request_from,
)
from ostinato.jobs.errors import Malformed
from ostinato.jobs.filters import JobFilter, JobOrder, Page
from ostinato.jobs.ids import is_id
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import BATCHES, CRONS, FAILURES, JOBS, REQUESTS, TASK_CONFIGS
from ostinato.jobs.mongo.finds import NEWEST, Find, Query, job_find, owned, query_of
from ostinato.jobs.mongo.stored_json import restore_document
from ostinato.jobs.paging import Window, cut
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request

MALFORMED_AT_ONCE: Final = 100  # are looked past with one more find
MOST_MALFORMED: Final = 2_000  # that a page looks past

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request, Failure)


@dataclass(frozen=True, slots=True)
class _Source:
    collection: str
    decode: Callable[[Mapping[str, object]], object]

    def record_of(self, document: Document) -> object:
        """Read a document; raises Malformed, which is logged."""
        try:
            record = read_as(self.decode, restore_document(document))
            if not is_id(document["_id"]):  # no id or cursor that a client sent would lead to it
                raise Malformed(f"the _id {document['_id']!r} has not 24 hexadecimal digits")
            return record
        except Malformed as error:
            report(self.collection, document["_id"], error)
            raise

    def records_of(self, documents: Iterable[Document]) -> "Mapping[str, object]":
        """Read documents; in place of one that is malformed stands what is wrong with it."""
        records: dict[str, object] = {}
        for document in documents:
            try:
                records[document["_id"]] = self.record_of(document)
            except Malformed as error:
                records[document["_id"]] = error
        return records


_SOURCES: Final[dict[type, _Source]] = {
    Job: _Source(JOBS, job_from),
    Cron: _Source(CRONS, cron_from),
    RecurringTask: _Source(TASK_CONFIGS, recurring_task_from),
    Batch: _Source(BATCHES, batch_from),
    Request: _Source(REQUESTS, request_from),
    Failure: _Source(FAILURES, failure_from),
}


async def by_ids(
    mongo: Mongo,
    kind: type[R],
    ids: Collection[str],
    owner: str | None,
    min_cluster_time: ClusterTime | None = None,
) -> "Mapping[str, R | Malformed]":
    """Read the documents with these ids that the owner may see, in one query."""
    if not ids:
        return {}
    source = _SOURCES[kind]
    query = owned(owner) | {"_id": {"$in": list(ids)}}
    find = partial(mongo[source.collection].find, query, batch_size=len(ids) + 1)
    found = await mongo.causal_read(find, min_cluster_time)
    return cast("Mapping[str, R | Malformed]", source.records_of(found))


async def one(mongo: Mongo, kind: type[R], owner: str | None, **fields: str) -> R | None:
    """Read the document whose fields have these values; raises Malformed."""
    source = _SOURCES[kind]
    document = await mongo[source.collection].find_one(owned(owner) | fields)
    return None if document is None else cast("R", source.record_of(document))


async def page(
    mongo: Mongo, kind: type[R], owner: str | None, window: Window, **fields: object
) -> Page[R]:
    """Read a page of the documents whose fields have these values, newest first."""
    return await _page(mongo, kind, Find.of(owned(owner) | fields, NEWEST, window), window)


async def job_page(
    mongo: Mongo, owner: str | None, which: JobFilter, order: JobOrder, window: Window
) -> Page[Job]:
    """Read a page of jobs in that order."""
    return await _page(mongo, Job, job_find(owner, which, order, window), window)


async def newest(
    mongo: Mongo, kind: type[R], owner: str | None, limit: int, min_cluster_time: ClusterTime
) -> Page[R]:
    """Read the newest documents of a kind but jobs, at most so many."""
    window = Window(limit=limit)
    return await _page(mongo, kind, Find.of(owned(owner), NEWEST, window), window, min_cluster_time)


async def newest_jobs(
    mongo: Mongo, owner: str | None, which: JobFilter, limit: int, min_cluster_time: ClusterTime
) -> Page[Job]:
    """Read the newest jobs that match, at most so many."""
    window = Window(limit=limit)
    find = job_find(owner, which, JobOrder.NEWEST, window)
    return await _page(mongo, Job, find, window, min_cluster_time)


async def caused_job_pages(
    mongo: Mongo, owner: str | None, which: JobFilter, cause_ids: Collection[str], window: Window
) -> dict[str, Page[Job]]:
    """Read the same page, newest first, of the jobs of many causes in one query.

    Each cause costs an index range of a page's length, however many jobs it has.
    """
    find = Find.of(owned(owner) | query_of(which), NEWEST, window)
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
                ],
                "as": "job",
            }
        },
        # Unwound, each job is a document of its own: a list of them may not exceed 16 MB.
        {"$unwind": "$job"},
        {"$replaceWith": "$job"},
    ]
    found: dict[str, list[Job]] = {cause_id: [] for cause_id in cause_ids}
    malformed: set[str] = set()
    async for document in mongo.database.aggregate(pipeline):
        try:
            job = cast("Job", _SOURCES[Job].record_of(document))
            found[str(job.cause.id)].append(job)
        except Malformed:  # of whichever it is: a list of causes is found by each of them
            malformed |= found.keys()
    pages = {cause_id: cut(jobs, window) for cause_id, jobs in found.items()}
    for cause_id in malformed:
        alone = replace(which, cause_id=cause_id)
        pages[cause_id] = await job_page(mongo, owner, alone, JobOrder.NEWEST, window)
    return pages


async def _page(
    mongo: Mongo,
    kind: type[R],
    find: Find,
    window: Window,
    min_cluster_time: ClusterTime | None = None,
) -> Page[R]:
    source = _SOURCES[kind]
    passed: list[object] = []
    while True:
        documents = await _found(mongo, source.collection, find, min_cluster_time)
        sound: list[R] = []
        malformed: list[object] = []
        for document in documents:
            try:
                sound.append(cast("R", source.record_of(document)))
            except Malformed:
                malformed.append(document["_id"])
        if not malformed or len(documents) < find.limit or len(sound) > window.limit:
            return cut(sound, window)
        passed += malformed
        if len(passed) > MOST_MALFORMED:
            raise Malformed(f"more than {MOST_MALFORMED:,} malformed documents are in this list")
        find = _past(find, passed, window)


def _past(find: Find, passed: Collection[object], window: Window) -> Find:
    """Say how the same page is found without the documents that are looked past."""
    others = {"$and": [find.filter, {"_id": {"$nin": list(passed)}}]}
    return replace(find, filter=others, limit=window.limit + 1 + MALFORMED_AT_ONCE)


async def _found(
    mongo: Mongo, collection: str, find: Find, min_cluster_time: ClusterTime | None
) -> list[Document]:
    # In one reply, with room to say that it is all: a page of several could lose its cursor with
    # the server in between.
    options = {"sort": find.sort, "limit": find.limit, "batch_size": find.limit + 1}
    return await mongo.causal_read(
        partial(mongo[collection].find, find.filter, **options), min_cluster_time
    )
