"""What the subscriptions yield, and what a client may ask of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from jobs.records import Batch, Cron, Job, JobEvent, RecurringTask, Request

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class ChangeKind(StrEnum):
    """What a message of a subscription tells."""

    SNAPSHOT = "snapshot"
    READY = "ready"
    CHANGED = "changed"
    LEFT = "left"
    CHECKPOINT = "checkpoint"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Generic[R]):
    """One message of any subscription, before it has its own names."""

    cursor: str
    kind: ChangeKind
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
    job_id: str | None = None
    event: JobEvent | None = None
    """None for progress, and in SNAPSHOT, READY, CHECKPOINT and RESET."""
    job: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronChange:
    cursor: str
    kind: ChangeKind
    cron_id: str | None = None
    cron: Cron | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTaskChange:
    cursor: str
    kind: ChangeKind
    task_id: str | None = None
    """The client's own name of the task."""
    recurring_task: RecurringTask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    cursor: str
    kind: ChangeKind
    request_id: str | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChange:
    cursor: str
    kind: ChangeKind
    batch_id: str | None = None
    batch: Batch | None = None
