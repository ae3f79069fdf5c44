"""The change feed's records: a decoded write to a watched document."""

from collections.abc import Mapping, Sequence
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
"""A position in MongoDB's oplog; the strings sort in commit order."""

ClusterTime: TypeAlias = tuple[int, int]
"""A MongoDB cluster time: seconds, and a counter within the second."""

BEGINNING: Final[ClusterTime] = (0, 0)


def time_of(position: Position) -> ClusterTime:
    """Return the cluster time of a position, a resume token whose KeyString starts with it.

    See github.com/mongodb/mongo, src/mongo/db/pipeline/resume_token.h
    """
    return int(position[2:10], 16), int(position[10:18], 16)


class WatchedCollection(StrEnum):
    """The collections in the change stream, by their stored names."""

    JOBS = "jobs"
    CRONS = "crons"
    TASK_CONFIGS = "taskConfigs"
    REQUESTS = "requests"
    BATCHES = "batches"
    BULK_ACTIONS = "bulkActions"
    FAILURES = "failures"
    JOB_LOGS = "jobLogs"
    """A change is one of the job with the `document_id`."""
    CRON_TICKS = "cronTicks"
    ALERTS = "alerts"


class WriteType(StrEnum):
    """What a write did to its document."""

    INSERTED = "inserted"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The immutable fields of a document that determine which filters match its changes."""

    owner: str | None
    function_name: str | None = None
    queue: str | None = None
    internal: bool = False
    cause: Cause | None = None
    root_id: str | None = None
    """The first job of a job's tree; None if it is the job itself."""
    task_id: str | None = None
    """The client-supplied name of a recurring task."""


class MatchState(NamedTuple):
    """The mutable fields of a document that determine whether a filter matches."""

    state: str
    """That of a job, batch, request, failure or alert."""
    due: datetime | None
    """Of a job; None if unknown."""


class JobLabels(NamedTuple):
    """The immutable fields of a job or failure that few filters use."""

    created_at: datetime | None
    """Of a failure: its time."""
    key: str | None
    """Of a failure: its fingerprint."""
    tags: Sequence[object]
    """As stored."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "JobLabels":
        """Read the labels in an event or a document of any content."""
        created_at = fields.get("createdAt", fields.get("at"))
        key, tags = fields.get("key", fields.get("fingerprint")), fields.get("tags")
        return cls(
            created_at=_in_zone(created_at) if isinstance(created_at, datetime) else None,
            key=key if type(key) is str else None,
            tags=tags if isinstance(tags, list) else (),
        )


def has_labels(event: Mapping[str, Any]) -> bool:
    """Return whether an event contains the job's labels; those of older versions do not."""
    return "createdAt" in event


class _Write(NamedTuple):
    """One write to one document, as reported by the change stream."""

    collection: WatchedCollection
    document_id: str
    type: WriteType
    position: Position
    version: int | None = None
    """The document's version after this write; None when it was deleted."""
    route: Route | None = None
    """None until resolved by the feed, and for documents that no longer exist."""
    event_raw: Mapping[str, Any] | None = None
    """The event that this write appended to the job's timeline, as stored, with naive UTC times;
    None for a progress update."""
    scheduled_time: datetime | None = None
    """The job's new due time, if this write set it."""
    batch_id: str | None = None
    """The inserted lines of a job's log."""
    match_state: MatchState | None = None
    """The state, resolved with the route for a write that does not tell it."""
    states: tuple[str | None, str] | None = None
    """The states of a batch, request, failure or alert before and after a write that changed it."""
    labels: JobLabels | None = None
    """The job's labels, if the event does not contain them; resolved with the route."""


class DocumentChange(_Write):
    """One write to one document, decoded once and shared by all subscriptions."""

    @cached_property
    def event(self) -> JobEvent | None:
        """The event that this write appended, decoded lazily; None if absent or malformed."""
        if self.event_raw is None:
            return None
        try:
            return read_as(job_event_from, _in_utc(self.event_raw))
        except Malformed as error:
            report(WatchedCollection.JOBS, self.document_id, error)
            return None

    @property
    def job_labels(self) -> JobLabels | None:
        """The job's labels; None if unknown."""
        if self.labels is not None or self.event_raw is None:
            return self.labels
        return JobLabels.of(self.event_raw)

    @property
    def state_before(self) -> MatchState | None:
        """The state before this write; None if the write did not change the state."""
        if self.states is not None:
            return MatchState(self.states[0], None) if self.states[0] else None
        if self.event_raw is None or self.type is WriteType.INSERTED:
            return None
        source = self.event_raw.get("from")
        return MatchState(JobState(source), _due_in(self.event_raw)) if source else None

    @property
    def state_after(self) -> MatchState | None:
        """The state after this write; None if unknown."""
        if self.states is not None:
            return MatchState(self.states[1], None)
        if self.event_raw is None:
            due, state = self.scheduled_time, self.match_state
            return state._replace(due=due) if state and due else state
        due = self.scheduled_time or _due_in(self.event_raw)
        return MatchState(JobState(self.event_raw["state"]), due)


def _due_in(event: Mapping[str, Any]) -> datetime | None:
    due: datetime | None = event.get("scheduledTime")
    return due and _in_zone(due)


def _in_zone(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)


def _in_utc(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in event.items()
    }
