"""What the hub hands out: one write to a watched document, as a frozen record."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType, TypeAlias

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write to one document, decoded once and shared by everybody who hears of it."""

    collection: Watched
    document_id: str
    type: ChangeType
    position: Position
    version: int | None = None
    """The document's version after this write; None when it was deleted."""
    route: Route | None = None
    """None only until the hub has looked it up."""
    events: tuple[JobEvent, ...] = ()
    """What this write appended to the job's timeline; empty for progress."""
    scheduled_time: datetime | None = None
    """The job's new due time, when this write set it."""

    @property
    def state_before(self) -> JobState | None:
        """Return the job's state before this write, None if the write did not touch it."""
        return self.events[0].from_state if self.events else None

    @property
    def state_after(self) -> JobState | None:
        """Return the job's state after this write, None if the write did not touch it."""
        return self.events[-1].state if self.events else None
