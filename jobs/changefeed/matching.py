"""Matches changes against filters, and computes the index keys of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from ostinato.jobs.changes import (
    DocumentChange,
    JobLabels,
    MatchState,
    Route,
    WatchedCollection,
    WriteType,
)
from ostinato.jobs.filters import JobFilter

Key: TypeAlias = tuple[str | None, ...]
"""The key of a partition of the ring or of a bucket of the index."""

MOST_SELECTIVE_FIRST: Final = ("key", "root_id", "cause_id", "tag", "function_name", "queue")
"""The indexed fields of a job filter; of its tags, the first. The window of creation times is not
indexed: a job that is watched has usually been created just now."""
LABELS: Final = frozenset({"key", "tag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """A subscription's filter. Hashable, so that equal filters share one match."""

    collection: WatchedCollection
    owner: str | None = None
    """None for all owners."""
    document_id: str | None = None
    job_filter: JobFilter | None = None
    """For jobs; of other collections, only the states, the function and the cause are used, and of
    failures the labels: see `JobLabels`."""

    @property
    def partition_key(self) -> Key:
        """Return the key of the smallest partition that holds all matching changes."""
        if self.document_id is not None:
            return (self.collection, "id", self.document_id)
        if self.owner is not None:
            return (self.collection, "owner", self.owner)
        return (self.collection,)

    @property
    def has_window(self) -> bool:
        """Whether the filter restricts due times."""
        return self.job_filter is not None and self.job_filter.has_window

    @property
    def index_keys(self) -> frozenset[Key]:
        """Return the most selective keys; `index_keys_of` returns one for every matching change."""
        if self.document_id is not None:
            return frozenset({(self.collection, "id", self.document_id)})
        if self.job_filter is not None and self.job_filter.ids is not None:
            return frozenset((self.collection, "id", each) for each in self.job_filter.ids)
        return frozenset({self._key_of_fields()})

    def _key_of_fields(self) -> Key:
        scope = _scope(self.collection, self.owner)
        job_filter = self.job_filter
        if job_filter is None:
            return scope
        tag = job_filter.tags[0] if job_filter.tags else None
        for name in MOST_SELECTIVE_FIRST:
            value: str | None = tag if name == "tag" else getattr(job_filter, name)
            if value is not None:
                return (*scope, name, value)
        return scope

    @property
    def is_indexed_by_label(self) -> bool:
        """Whether only the labels of a job tell the index keys."""
        return any(key[-2] in LABELS for key in self.index_keys)


class MatchedChange(NamedTuple):
    """A change that matches a filter."""

    change: DocumentChange
    removed: bool
    """Whether the document no longer matches, or was deleted."""


def partitions_of(change: DocumentChange) -> tuple[Key, Key, Key]:
    """Return the keys of the partitions that contain the change."""
    owner = change.route.owner if change.route else None
    return (
        (change.collection, "id", change.document_id),
        (change.collection, "owner", owner),
        (change.collection,),
    )


def index_keys_of(change: DocumentChange, *, with_labels: bool = True) -> Iterator[Key]:
    """Return the index keys of all filters that may match; none if the change has no route.

    Without `with_labels`, leaves out those of filters that are indexed by a label.
    """
    route = change.route
    if route is None:
        return
    yield (change.collection, "id", change.document_id)
    scopes = (_scope(change.collection, None), (change.collection, "owner", route.owner))
    labels = change.job_labels if with_labels else None
    for scope in scopes:
        if labels is not None:
            yield from _label_keys(scope, labels)
        yield scope
        if change.collection is WatchedCollection.JOBS:
            yield (*scope, "root_id", route.root_id or change.document_id)
        if route.cause is not None and route.cause.id is not None:
            yield (*scope, "cause_id", route.cause.id)
        if route.function_name is not None:
            yield (*scope, "function_name", route.function_name)
        if route.queue is not None:
            yield (*scope, "queue", route.queue)


def _label_keys(scope: Key, labels: JobLabels) -> Iterator[Key]:
    if labels.key is not None:
        yield (*scope, "key", labels.key)
    for tag in labels.tags:
        if type(tag) is str:  # bson.Code subclasses str, but is not hashable
            yield (*scope, "tag", tag)


def _scope(collection: WatchedCollection, owner: str | None) -> Key:
    return (collection, "all owners") if owner is None else (collection, "owner", owner)


def match(change_filter: ChangeFilter, change: DocumentChange) -> MatchedChange | None:
    """Return the match of a filter and a change, None if there is none. No I/O."""
    route, job_filter = change.route, change_filter.job_filter
    if route is None or (change_filter.owner is not None and route.owner != change_filter.owner):
        return None
    if job_filter is not None and not (
        _matches_route(job_filter, route, change.document_id)
        and _matches_labels(job_filter, change)
    ):
        return None
    if change.type is WriteType.DELETED:
        return MatchedChange(change, removed=True)
    if job_filter is None or not job_filter.can_stop_matching:
        return MatchedChange(change, removed=False)
    if _matches_state(job_filter, change.state_after):
        return MatchedChange(change, removed=False)
    before = change.state_before
    matched_before = before is not None and _matches_state(job_filter, before)
    return MatchedChange(change, removed=True) if matched_before else None


def _matches_state(job_filter: JobFilter, state: MatchState | None) -> bool:
    """Return whether a job's state matches; an unknown state counts as a match."""
    if state is None:
        return True
    return (job_filter.states is None or state.state in job_filter.states) and (
        state.due is None or _is_within(job_filter, state.due)
    )


def _is_within(job_filter: JobFilter, due: datetime) -> bool:
    return (job_filter.scheduled_from is None or job_filter.scheduled_from <= due) and (
        job_filter.scheduled_to is None or due < job_filter.scheduled_to
    )


def _matches_labels(job_filter: JobFilter, change: DocumentChange) -> bool:
    """Return whether a job's labels match; they are resolved together with the route."""
    if not job_filter.has_labels:
        return True
    labels = change.job_labels
    return (
        labels is not None
        and job_filter.key in (None, labels.key)
        and all(tag in labels.tags for tag in job_filter.tags)
        and _is_created_within(job_filter, labels.created_at)
    )


def _is_created_within(job_filter: JobFilter, created_at: datetime | None) -> bool:
    start, end = job_filter.created_from, job_filter.created_to
    if created_at is None:  # malformed
        return start is None and end is None
    return (start is None or start <= created_at) and (end is None or created_at < end)


def _matches_route(job_filter: JobFilter, route: Route, job_id: str) -> bool:
    cause = route.cause
    return (
        (job_filter.internal is None or job_filter.internal == route.internal)
        and job_filter.function_name in (None, route.function_name)
        and job_filter.queue in (None, route.queue)
        and job_filter.cause_kind in (None, cause.kind if cause else None)
        and job_filter.cause_id in (None, cause.id if cause else None)
        and job_filter.root_id in (None, route.root_id or job_id)
        and (job_filter.ids is None or job_id in job_filter.ids)
    )
