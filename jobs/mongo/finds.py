"""Says how pages are found: what is matched, in which order, within which bounds. Pure."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.paging import Place, Window

Query: TypeAlias = dict[str, Any]


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


def job_find(owner: str | None, which: JobFilter, order: JobOrder, window: Window) -> Find:
    """Say how a page of jobs is found."""
    return Find.of(owned(owner) | query_of(which), _JOB_ORDERINGS[order], window)


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


def owned(owner: str | None) -> Query:
    return {} if owner is None else {"owner": owner}


def _bounds(reading: Ordering, window: Window) -> list[Query]:
    """Bound the range at both ends; `reading` runs from its near end to its far end."""
    near, far = window.after, window.before
    if window.backward:
        near, far = far, near
    bounds = [] if near is None else [reading.past(near)]
    return bounds if far is None else [*bounds, reading.reversed().past(far)]


def _and(*queries: Query) -> Query:
    return {"$and": [query for query in queries if query]} if any(queries) else {}
