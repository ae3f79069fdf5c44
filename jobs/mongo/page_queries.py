"""Builds page queries: filter, sort and bounds. No I/O."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ostinato.jobs.filters import FailureFilter, FailureState, JobFilter, JobOrder
from ostinato.jobs.paging import PagePosition, Window

Query: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """The order of a list: by a time field and id, or by id alone (creation order)."""

    field: str | None = None
    descending: bool = True

    @property
    def sort(self) -> list[tuple[str, int]]:
        direction = -1 if self.descending else 1
        return [(name, direction) for name in (self.field, "_id") if name is not None]

    def reversed(self) -> "Ordering":
        return Ordering(field=self.field, descending=not self.descending)

    def after(self, key: PagePosition) -> Query:
        """Build the filter for documents after `key` in this order."""
        beyond = "$lt" if self.descending else "$gt"
        if self.field is None:
            return {"_id": {beyond: key.id}}
        return {
            "$or": [
                {self.field: {beyond: key.instant}},
                {self.field: key.instant, "_id": {beyond: key.id}},
            ]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysetQuery:
    """A `find` for a page plus one document, in reading direction."""

    filter: Query
    sort: list[tuple[str, int]]
    limit: int

    @classmethod
    def of(cls, query: Query, ordering: Ordering, window: Window) -> "KeysetQuery":
        reading = ordering.reversed() if window.backward else ordering
        return cls(
            filter=_and(query, *_bounds(reading, window)),
            sort=reading.sort,
            limit=window.limit + 1,
        )


NEWEST_FIRST: Final = Ordering()
_JOB_ORDERINGS: Final = {
    JobOrder.NEWEST: NEWEST_FIRST,
    JobOrder.OLDEST: Ordering(descending=False),
    JobOrder.SCHEDULED_ASC: Ordering(field="scheduledTime", descending=False),
    JobOrder.SCHEDULED_DESC: Ordering(field="scheduledTime"),
}


def job_page_query(
    owner: str | None, which: JobFilter, order: JobOrder, window: Window
) -> KeysetQuery:
    """Build the query of a page of jobs."""
    return KeysetQuery.of(owned_by(owner) | job_filter_query(which), _JOB_ORDERINGS[order], window)


def job_filter_query(which: JobFilter) -> Query:
    """Translate a filter; the query always contains `internal`, the prefix of an index."""
    query: Query = {
        "internal": {"$in": [False, True]} if which.internal is None else which.internal
    }
    exact = {
        "functionName": which.function_name,
        "cause.kind": which.cause_kind,
        "cause.id": which.cause_id,
        "queue": which.queue,
        "key": which.key,
    }
    query |= {name: value for name, value in exact.items() if value is not None}
    if which.ids is not None:
        query["_id"] = {"$in": list(which.ids)}
    if which.root_id is not None:
        query["$or"] = [{"_id": which.root_id}, {"rootId": which.root_id}]
    if which.states is not None:
        query["state"] = {"$in": [state.value for state in which.states]}
    if which.tags:
        query["tags"] = {"$all": list(which.tags)}
    for name, start, end in (
        ("scheduledTime", which.scheduled_from, which.scheduled_to),
        ("createdAt", which.created_from, which.created_to),
    ):
        limits = {"$gte": start, "$lt": end}
        if within := {operator: at for operator, at in limits.items() if at is not None}:
            query[name] = within
    return query


def failure_filter_query(which: FailureFilter) -> Query:
    """Translate a filter on failures."""
    exact = {"functionName": which.function_name, "fingerprint": which.fingerprint}
    query: Query = {name: value for name, value in exact.items() if value is not None}
    limits = {"$gte": which.failed_from, "$lt": which.failed_to}
    if within := {operator: at for operator, at in limits.items() if at is not None}:
        query["at"] = within
    if which.states is not None and set(which.states) != set(FailureState):
        is_open = None  # also of failures that older versions have stored
        conditions = {FailureState.OPEN: is_open, FailureState.RESOLVED: {"$type": "date"}}
        found = [conditions[state] for state in set(which.states)]
        query["resolvedAt"] = found[0] if found else {"$in": []}
    return query


def owned_by(owner: str | None) -> Query:
    return {} if owner is None else {"owner": owner}


def _bounds(reading: Ordering, window: Window) -> list[Query]:
    """Build the bounds of the range; `reading` runs from its near end to its far end."""
    near, far = window.after, window.before
    if window.backward:
        near, far = far, near
    bounds = [] if near is None else [reading.after(near)]
    return bounds if far is None else [*bounds, reading.reversed().after(far)]


def _and(*queries: Query) -> Query:
    return {"$and": [query for query in queries if query]} if any(queries) else {}
