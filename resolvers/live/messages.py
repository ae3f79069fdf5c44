"""What subscriptions send, and what a client may ask of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import Batch, Cron, Job, JobEvent, RecurringTask, Request

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class EventPosition(NamedTuple):
    """Where a message belongs in the history of changes."""

    position: Position
    """Everything before this has been sent."""
    subject: str | None = None
    """The id of the object it is about: a newer message about it replaces this one."""


class ChangeKind(StrEnum):
    """What a message of a subscription reports."""

    SNAPSHOT = "snapshot"
    READY = "ready"
    CHANGED = "changed"
    LEFT = "left"
    CHECKPOINT = "checkpoint"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeOptions:
    """How a client wants to follow a list."""

    after: str | None = None
    """Resume after this cursor: READY, then the missed changes, without a snapshot."""
    snapshot: bool = False
    """Start with the rows that match now, newest first."""
    first: int | None = None
    """The maximum of rows in the snapshot; None is as many as allowed."""
    coalesce: bool = False
    """For a slow client: skip to the newest change of each object instead of failing."""
    wants_object: bool = True
    """Whether the selection reads the object, which costs a query per batch."""

    def limit(self, most: int) -> int:
        """Return how many rows the snapshot may have; raises BadRequest naming `first`."""
        if self.first is None:
            return most
        if not 1 <= self.first <= most:
            message = f"first must be from 1 to {most}, got {self.first}"
            raise BadRequest.at("first", message=message, code="out_of_range")
        return self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[R]):
    """One message of a subscription."""

    cursor: str
    kind: ChangeKind
    place: EventPosition
    id: str | None = None
    """The object's id; None in READY, CHECKPOINT and RESET."""
    task_id: str | None = None
    """The client's own name of a recurring task."""
    event: JobEvent | None = None
    """What happened to a job; None for progress, and in SNAPSHOT, READY, CHECKPOINT and RESET."""
    record: R | None = None
    """The object, as new as the change or newer; None if it was not selected, or is gone."""
