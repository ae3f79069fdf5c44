"""Reads for clients: objects by id, and keyset pages of lists. Every read is scoped to an owner.

An `owner` of None reads everybody's documents: whether that is allowed is the caller's decision.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from jobs.documents import (
    batch_from,
    cron_from,
    failure_from,
    job_from,
    recurring_task_from,
    request_from,
)
from jobs.filters import JobFilter, JobOrder, Page
from jobs.mongo.client import Mongo
from jobs.mongo.collections import BATCHES, CRONS, FAILURES, JOBS, REQUESTS, TASK_CONFIGS
from jobs.paging import Place, Window, cut
from jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request, Failure)

Document = Mapping[str, Any]
Query = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Source:
    collection: str
    decode: Callable[[Document], object]


_SOURCES: Final[dict[type, _Source]] = {
    Job: _Source(JOBS, job_from),
    Cron: _Source(CRONS, cron_from),
    RecurringTask: _Source(TASK_CONFIGS, recurring_task_from),
    Batch: _Source(BATCHES, batch_from),
    Request: _Source(REQUESTS, request_from),
    Failure: _Source(FAILURES, failure_from),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """How a list is ordered: by a time and the id, or by the id alone, which is by creation."""

    field: str | None = None
    descending: bool = True

    @property
    def sort(self) -> list[tuple[str, int]]:
        direction = -1 if self.descending else 1
        return [(name, direction) for name in (self.field, "_id") if name is not None]

    def reversed(self) -> "Ordering":
        return Ordering(field=self.field, descending=not self.descending)

    def past(self, place: Place) -> Query:
        """Match what comes after that place in this order."""
        beyond = "$lt" if self.descending else "$gt"
        if self.field is None:
            return {"_id": {beyond: place.id}}
        return {
            "$or": [
                {self.field: {beyond: place.instant}},
                {self.field: place.instant, "_id": {beyond: place.id}},
            ]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A `find` of a page and of one document more, in the direction of reading."""

    filter: Query
    sort: list[tuple[str, int]]
    limit: int

    @classmethod
    def of(cls, query: Query, ordering: Ordering, window: Window) -> "Find":
        reading = ordering.reversed() if window.backward else ordering
        return cls(
            filter=_and(query, *_bounds(reading, window)),
            sort=reading.sort,
            limit=window.limit + 1,
        )


NEWEST: Final = Ordering()
_JOB_ORDERINGS: Final = {
    JobOrder.NEWEST: NEWEST,
    JobOrder.OLDEST: Ordering(descending=False),
    JobOrder.SCHEDULED_ASC: Ordering(field="scheduledTime", descending=False),
    JobOrder.SCHEDULED_DESC: Ordering(field="scheduledTime"),
}


async def by_ids(
    mongo: Mongo, kind: type[R], ids: Collection[str], owner: str | None
) -> dict[str, R]:
    """Read the documents with these ids that the owner may see, in one query."""
    if not ids:
        return {}
    source = _SOURCES[kind]
    query = _owned(owner) | {"_id": {"$in": list(ids)}}
    cursor = mongo[source.collection].find(query, batch_size=len(ids) + 1)
    found = await cursor.to_list(None)
    return {document["_id"]: cast("R", source.decode(document)) for document in found}


async def one(mongo: Mongo, kind: type[R], owner: str | None, **fields: str) -> R | None:
    """Read the document whose fields have these values."""
    source = _SOURCES[kind]
    document = await mongo[source.collection].find_one(_owned(owner) | fields)
    return None if document is None else cast("R", source.decode(document))


async def page(
    mongo: Mongo, kind: type[R], owner: str | None, window: Window, **fields: object
) -> Page[R]:
    """Read a page of the documents whose fields have these values, newest first."""
    return await _page(mongo, kind, Find.of(_owned(owner) | fields, NEWEST, window), window)


async def job_page(
    mongo: Mongo, owner: str | None, which: JobFilter, order: JobOrder, window: Window
) -> Page[Job]:
    """Read a page of jobs in that order."""
    return await _page(mongo, Job, job_find(owner, which, order, window), window)


def job_find(owner: str | None, which: JobFilter, order: JobOrder, window: Window) -> Find:
    """Say how a page of jobs is found."""
    return Find.of(_owned(owner) | query_of(which), _JOB_ORDERINGS[order], window)


async def caused_job_pages(
    mongo: Mongo, owner: str | None, which: JobFilter, cause_ids: Collection[str], window: Window
) -> dict[str, Page[Job]]:
    """Read the same page, newest first, of the jobs of many causes in one query.

    Each cause costs an index range of a page's length, however many jobs it has.
    """
    find = Find.of(_owned(owner) | query_of(which), NEWEST, window)
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
                "as": "found",
            }
        },
    ]
    causes = await mongo.database.aggregate(pipeline).to_list(None)
    return {
        cause["_id"]: cut([job_from(document) for document in cause["found"]], window)
        for cause in causes
    }


def query_of(which: JobFilter) -> Query:
    """Translate a filter. `internal` is always bound, so that the index that leads with it fits."""
    query: Query = {
        "internal": {"$in": [False, True]} if which.internal is None else which.internal
    }
    exact = {
        "functionName": which.function_name,
        "cause.kind": which.cause_kind,
        "cause.id": which.cause_id,
        "queue": which.queue,
    }
    query |= {name: value for name, value in exact.items() if value is not None}
    if which.states is not None:
        query["state"] = {"$in": [state.value for state in which.states]}
    limits = {"$gte": which.scheduled_from, "$lt": which.scheduled_to}
    if within := {operator: at for operator, at in limits.items() if at is not None}:
        query["scheduledTime"] = within
    return query


async def _page(mongo: Mongo, kind: type[R], find: Find, window: Window) -> Page[R]:
    source = _SOURCES[kind]
    # In one reply, with room to say that it is all: a page of several could lose its cursor with
    # the server in between.
    options = {"sort": find.sort, "limit": find.limit, "batch_size": find.limit + 1}
    cursor = mongo[source.collection].find(find.filter, **options)
    found = [cast("R", source.decode(document)) for document in await cursor.to_list(None)]
    return cut(found, window)


def _bounds(reading: Ordering, window: Window) -> list[Query]:
    """Bound the range at both ends; `reading` runs from its near end to its far end."""
    near, far = window.after, window.before
    if window.backward:
        near, far = far, near
    bounds = [] if near is None else [reading.past(near)]
    return bounds if far is None else [*bounds, reading.reversed().past(far)]


def _owned(owner: str | None) -> Query:
    return {} if owner is None else {"owner": owner}


def _and(*queries: Query) -> Query:
    return {"$and": [query for query in queries if query]} if any(queries) else {}
