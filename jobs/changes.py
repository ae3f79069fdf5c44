"""The records of the change feed: one write to a watched document, decoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, NamedTuple, NewType, TypeAlias

from ostinato.jobs.documents import job_event_from
from ostinato.jobs.errors import Malformed
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.records import Cause, JobEvent, JobState

Position = NewType("Position", str)
"""A position in MongoDB's history; as text it sorts in the order of the commits."""

ClusterTime: TypeAlias = tuple[int, int]
"""MongoDB's own clock: seconds, and a counter within the second."""

BEGINNING: Final[ClusterTime] = (0, 0)


def time_of(position: Position) -> ClusterTime:
    """Return the time in a position, which is a resume token: a KeyString that starts with it.

    Source: github.com/mongodb/mongo, src/mongo/db/pipeline/resume_token.h
    """
    return int(position[2:10], 16), int(position[10:18], 16)


class WatchedCollection(StrEnum):
    """The collections whose changes are followed, by their stored names."""

    JOBS = "jobs"
    CRONS = "crons"
    TASK_CONFIGS = "taskConfigs"
    REQUESTS = "requests"
    BATCHES = "batches"


class ChangeType(StrEnum):
    INSERTED = "inserted"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What decides who receives a document's changes; it is the same for the document's life."""

    owner: str | None
    function_name: str | None = None
    queue: str | None = None
    internal: bool = False
    cause: Cause | None = None
    task_id: str | None = None
    """The client's name of a recurring task."""


class MatchState(NamedTuple):
    """What may change of a job and decides whether it matches a filter."""

    state: JobState
    due: datetime | None
    """None if it is not known."""


class _Write(NamedTuple):
    """What the change stream reports of one write to one document."""

    collection: WatchedCollection
    document_id: str
    type: ChangeType
    position: Position
    version: int | None = None
    """The document's version after this write; None when it was deleted."""
    route: Route | None = None
    """None until the feed has looked it up, and after that if the document is gone."""
    event_raw: Mapping[str, Any] | None = None
    """The event that this write appended to the job's timeline, as stored, with naive UTC times;
    None for progress."""
    scheduled_time: datetime | None = None
    """The job's new due time, when this write set it."""
    match_state: MatchState | None = None
    """The job's state, looked up with the route for a write without an event."""


class DocumentChange(_Write):
    """One write to one document, decoded once and shared by all who receive it."""

    @cached_property
    def event(self) -> JobEvent | None:
        """The event that this write appended, decoded when first read; None if it is malformed."""
        if self.event_raw is None:
            return None
        try:
            return read_as(job_event_from, _in_utc(self.event_raw))
        except Malformed as error:
            report(WatchedCollection.JOBS, self.document_id, error)
            return None

    @property
    def state_before(self) -> MatchState | None:
        """The job's state before this write, None if the write did not change it."""
        if self.event_raw is None or self.type is ChangeType.INSERTED:
            return None
        source = self.event_raw.get("from")
        return MatchState(JobState(source), _due_in(self.event_raw)) if source else None

    @property
    def state_after(self) -> MatchState | None:
        """The job's state after this write, None if that is not known."""
        if self.event_raw is None:
            due, state = self.scheduled_time, self.match_state
            return state._replace(due=due) if state and due else state
        due = self.scheduled_time or _due_in(self.event_raw)
        return MatchState(JobState(self.event_raw["state"]), due)


def _due_in(event: Mapping[str, Any]) -> datetime | None:
    due: datetime | None = event.get("scheduledTime")
    return due and due.replace(tzinfo=UTC)


def _in_utc(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in event.items()
    }
