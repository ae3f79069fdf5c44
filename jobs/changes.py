"""What the hub hands out: one write to a watched document, as a frozen record."""

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
"""A place in MongoDB's history; sorts, as text, in the order of the commits."""

ClusterTime: TypeAlias = tuple[int, int]
"""MongoDB's own clock: seconds, and a counter within the second."""

BEGINNING: Final[ClusterTime] = (0, 0)


def time_of(position: Position) -> ClusterTime:
    """Read the time in a position, which is a resume token: as KeyString writes it, it comes first.

    https://github.com/mongodb/mongo/blob/master/src/mongo/db/pipeline/resume_token.h
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
    """What decides who hears of a document's changes; never changes in its life."""

    owner: str | None
    function_name: str | None = None
    queue: str | None = None
    internal: bool = False
    cause: Cause | None = None
    task_id: str | None = None
    """The client's name of a recurring task."""


class Standing(NamedTuple):
    """What of a job decides whether it matches a filter, and may change."""

    state: JobState
    due: datetime | None
    """None if it is not known."""


class Write(NamedTuple):
    """What the change stream tells of one write to one document."""

    collection: WatchedCollection
    document_id: str
    type: ChangeType
    position: Position
    version: int | None = None
    """The document's version after this write; None when it was deleted."""
    route: Route | None = None
    """None only until the hub has looked it up."""
    entries: Sequence[Mapping[str, Any]] = ()
    """What this write appended to the job's timeline, as stored; empty for progress. Times are UTC
    without saying so."""
    scheduled_time: datetime | None = None
    """The job's new due time, when this write set it."""
    standing: Standing | None = None
    """Where the job stands, looked up with the route for a write that has no entries."""


class Change(Write):
    """One write to one document, decoded once and shared by everybody who hears of it."""

    @cached_property
    def events(self) -> tuple[JobEvent, ...]:
        """Decode what this write appended: only those who tell of it need that. An entry that was
        not written by a move is left out."""
        decoded = (_event_of(entry, self.document_id) for entry in self.entries)
        return tuple(event for event in decoded if event is not None)

    @property
    def before(self) -> Standing | None:
        """Return where the job stood before this write, None if the write did not move it."""
        if not self.entries:
            return None
        first = self.entries[0]
        source = first.get("from")
        return Standing(JobState(source), _due_in(first)) if source else None

    @property
    def after(self) -> Standing | None:
        """Return where the job stands by this write, None if that is not known."""
        if not self.entries:
            due = self.scheduled_time
            return self.standing._replace(due=due) if self.standing and due else self.standing
        last = self.entries[-1]
        return Standing(JobState(last["state"]), self.scheduled_time or _due_in(last))


def _event_of(entry: Mapping[str, Any], job_id: str) -> JobEvent | None:
    try:
        return read_as(job_event_from, _in_utc(entry))
    except Malformed as error:
        report(WatchedCollection.JOBS, job_id, error)
        return None


def _due_in(entry: Mapping[str, Any]) -> datetime | None:
    due: datetime | None = entry.get("scheduledTime")
    return due and due.replace(tzinfo=UTC)


def _in_utc(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in entry.items()
    }
