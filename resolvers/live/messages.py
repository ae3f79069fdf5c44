"""What the subscriptions yield, and what a client may ask of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import Batch, Cron, Job, JobEvent, RecurringTask, Request

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class EventPosition(NamedTuple):
    """Where in history a message belongs."""

    position: Position
    """Everything before this has been told."""
    subject: str | None = None
    """The object it is about: a newer message about it can stand for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Where somebody else can go on telling: everything up to there, and no more, was told."""

    position: Position
    seq: int = 0
    """The newest event told, where one object is watched."""
    version: int = 0


@dataclass(slots=True, kw_only=True)
class Leg:
    """Which part of a subscription's way one iterator goes, and where it left: all, by default."""

    after: str | None = None
    """The cursor to resume behind, if the client did not give one as an argument."""
    begins_at: Joint | None = None
    """Tell only what comes behind this: without SNAPSHOT and READY."""
    starts_over: bool = False
    """Tell RESET first: what was told is worth nothing."""
    ends_at_joint: bool = False
    """End where somebody else can go on, and say where in `joint`: from the start, once all that
    is this subscriber's own has been told; from a joint, at the present."""
    ends_at_reset: bool = False
    """End where the client must start again, and say so in `was_reset`."""
    coalesces: bool = False
    """Set on the way: whether the client asked for it."""
    joint: Joint | None = None
    """Set at the end of a leg that `ends_at_joint`."""
    was_reset: bool = False


class ChangeKind(StrEnum):
    """What a message of a subscription tells."""

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
    """Resume behind this cursor: then there is no snapshot, but READY and what was missed."""
    snapshot: bool = False
    """Begin with the rows that match now, newest first."""
    first: int | None = None
    """At most so many rows in the snapshot; None is as many as allowed."""
    coalesce: bool = False
    """When the client is slow: skip to the newest change of each object, rather than fail."""
    wants_object: bool = True
    """Whether the selection asks for the object: reading it costs a query per batch."""

    def limit(self, most: int) -> int:
        """Return how many rows the snapshot may have; raises BadRequest naming `first`."""
        if self.first is None:
            return most
        if not 1 <= self.first <= most:
            message = f"first must be from 1 to {most}, got {self.first}"
            raise BadRequest.at("first", message=message, code="out_of_range")
        return self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Generic[R]):
    """One message of any subscription, before it has its own names."""

    cursor: str
    kind: ChangeKind
    place: EventPosition
    id: str | None = None
    """None in READY, CHECKPOINT and RESET."""
    task_id: str | None = None
    event: JobEvent | None = None
    found: R | None = None
    """As new as the change or newer; None where it is not wanted, or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    cursor: str
    kind: ChangeKind
    place: EventPosition
    job_id: str | None = None
    event: JobEvent | None = None
    """None for progress, and in SNAPSHOT, READY, CHECKPOINT and RESET."""
    job: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronChange:
    cursor: str
    kind: ChangeKind
    place: EventPosition
    cron_id: str | None = None
    cron: Cron | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTaskChange:
    cursor: str
    kind: ChangeKind
    place: EventPosition
    task_id: str | None = None
    """The client's own name of the task."""
    recurring_task: RecurringTask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    cursor: str
    kind: ChangeKind
    place: EventPosition
    request_id: str | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChange:
    cursor: str
    kind: ChangeKind
    place: EventPosition
    batch_id: str | None = None
    batch: Batch | None = None
