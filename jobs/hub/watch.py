"""What a subscription watches, and whether a change concerns it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from ostinato.jobs.changes import Change, ChangeType, Route, Standing, WatchedCollection
from ostinato.jobs.filters import JobFilter

Key: TypeAlias = tuple[str | None, ...]
"""A drawer of an index: all of a collection, an owner's, or one document's."""

RAREST_FIRST: Final = ("cause_id", "function_name", "queue")
"""Fields of a filter by which watches are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which documents, as a value: equal watches share one group."""

    collection: WatchedCollection
    owner: str | None = None
    """None watches everybody's documents."""
    document_id: str | None = None
    job_filter: JobFilter | None = None
    """Of jobs only."""

    @property
    def key(self) -> Key:
        """Name the smallest drawer that holds all that is watched."""
        if self.document_id is not None:
            return (self.collection, "id", self.document_id)
        if self.owner is not None:
            return (self.collection, "owner", self.owner)
        return (self.collection,)

    @property
    def has_window(self) -> bool:
        """Tell whether it is of jobs that are due within bounds."""
        return self.job_filter is not None and self.job_filter.has_window

    @property
    def sought(self) -> Key:
        """Name the rarest thing that a change must have to concern it: one of `offered_by`."""
        if self.document_id is not None:
            return (self.collection, "id", self.document_id)
        scope = _scope(self.collection, self.owner)
        wanted = self.job_filter
        if wanted is None:
            return scope
        for name in RAREST_FIRST:
            value = getattr(wanted, name)
            if value is not None:
                return (*scope, name, value)
        return scope


class Notice(NamedTuple):
    """A change that concerns a watch."""

    change: Change
    left: bool
    """Whether the document no longer matches, or is gone."""


def keys_of(change: Change) -> tuple[Key, Key, Key]:
    """Name the drawers that the change goes to."""
    owner = change.route.owner if change.route else None
    return (
        (change.collection, "id", change.document_id),
        (change.collection, "owner", owner),
        (change.collection,),
    )


def offered_by(change: Change) -> Iterator[Key]:
    """Name all that a watch may seek and this change has; nothing if nobody may hear of it."""
    route = change.route
    if route is None:
        return
    yield (change.collection, "id", change.document_id)
    scopes = ((change.collection, "everybody"), (change.collection, "owner", route.owner))
    for scope in scopes:
        yield scope
        if route.cause is not None and route.cause.id is not None:
            yield (*scope, "cause_id", route.cause.id)
        if route.function_name is not None:
            yield (*scope, "function_name", route.function_name)
        if route.queue is not None:
            yield (*scope, "queue", route.queue)


def _scope(collection: WatchedCollection, owner: str | None) -> Key:
    return (collection, "everybody") if owner is None else (collection, "owner", owner)


def judge(watch: Watch, change: Change) -> Notice | None:
    """Decide whether a change from the watch's drawer concerns it; pure."""
    route, wanted = change.route, watch.job_filter
    if route is None or (watch.owner is not None and route.owner != watch.owner):
        return None
    if wanted is not None and not _routed(wanted, route):
        return None
    if change.type is ChangeType.DELETED:
        return Notice(change, left=True)
    if wanted is None or not wanted.can_stop_matching or _holds(wanted, change.after):
        return Notice(change, left=False)
    was_there = change.before is not None and _holds(wanted, change.before)
    return Notice(change, left=True) if was_there else None


def _holds(wanted: JobFilter, standing: Standing | None) -> bool:
    """Tell whether a job matches that stands there; what is not known is taken to match."""
    if standing is None:
        return True
    state, due = standing
    return (wanted.states is None or state in wanted.states) and (
        due is None or _is_within(wanted, due)
    )


def _is_within(wanted: JobFilter, due: datetime) -> bool:
    return (wanted.scheduled_from is None or wanted.scheduled_from <= due) and (
        wanted.scheduled_to is None or due < wanted.scheduled_to
    )


def _routed(wanted: JobFilter, route: Route) -> bool:
    cause = route.cause
    return (
        (wanted.internal is None or wanted.internal == route.internal)
        and wanted.function_name in (None, route.function_name)
        and wanted.queue in (None, route.queue)
        and wanted.cause_kind in (None, cause.kind if cause else None)
        and wanted.cause_id in (None, cause.id if cause else None)
    )
