"""What the hub hands out: one write to a watched document, as a frozen record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType, TypeAlias

from jobs.documents import job_event_from
from jobs.records import Cause, JobEvent, JobState

Position = NewType("Position", str)
"""A place in MongoDB's history; sorts, as text, in the order of the commits."""

ClusterTime: TypeAlias = tuple[int, int]
"""MongoDB's own clock: seconds, and a counter within the second."""

BEGINNING: Final[ClusterTime] = (0, 0)


class Watched(StrEnum):
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


class Change(NamedTuple):
    """One write to one document, decoded once and shared by everybody who hears of it."""

    collection: Watched
    document_id: str
    type: ChangeType
    position: Position
    version: int | None = None
    """The document's version after this write; None when it was deleted."""
    route: Route | None = None
    """None only until the hub has looked it up."""
    entries: Sequence[Mapping[str, Any]] = ()
    """What this write appended to the job's timeline, as stored; empty for progress."""
    scheduled_time: datetime | None = None
    """The job's new due time, when this write set it."""

    @property
    def events(self) -> tuple[JobEvent, ...]:
        """Decode what this write appended: only those who tell of it need that."""
        return tuple(map(job_event_from, self.entries))

    @property
    def state_before(self) -> JobState | None:
        """Return the job's state before this write, None if the write did not touch it."""
        source = self.entries[0].get("from") if self.entries else None
        return JobState(source) if source else None

    @property
    def state_after(self) -> JobState | None:
        """Return the job's state after this write, None if the write did not touch it."""
        return JobState(self.entries[-1]["state"]) if self.entries else None
