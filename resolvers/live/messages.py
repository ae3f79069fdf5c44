"""Subscription messages and options."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from ostinato.jobs.alerts import Alert
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changes import Position
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.errors import require_range
from ostinato.jobs.records import Batch, Cron, Failure, Job, JobEvent, RecurringTask, Request

R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)


class EventPosition(NamedTuple):
    """A message's position in the history of changes."""

    position: Position
    """All earlier changes have been sent."""
    subject: str | None = None
    """The id of the message's object; a newer message for it supersedes this one."""


class ChangeKind(StrEnum):
    """The kind of a subscription message."""

    SNAPSHOT = "snapshot"
    READY = "ready"
    CHANGED = "changed"
    LEFT = "left"
    CHECKPOINT = "checkpoint"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeOptions:
    """The client's options for a list subscription."""

    after: str | None = None
    """Resume after this cursor: READY, then the missed changes, without a snapshot."""
    snapshot: bool = False
    """Start with the rows that currently match, newest first."""
    first: int | None = None
    """Maximum number of snapshot rows; None: the server's limit."""
    coalesce: bool = False
    """Slow clients receive only the newest change of each object, instead of failing."""
    wants_object: bool = True
    """Whether the selection contains the object, which costs a query per batch."""
    unread: frozenset[str] = frozenset()
    """Large fields of the object that the selection does not contain."""

    def limit(self, maximum: int) -> int:
        """Return the maximum number of snapshot rows; raises BadRequest at `first`."""
        if self.first is None:
            return maximum
        return require_range("first", self.first, 1, maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMessage(Generic[R]):
    """One message of a subscription."""

    cursor: str
    kind: ChangeKind
    event_position: EventPosition
    id: str | None = None
    """The object's id; None in READY, CHECKPOINT and RESET."""
    task_id: str | None = None
    """The client's own id of a recurring task."""
    event: JobEvent | None = None
    """A job's event; None for progress, and in SNAPSHOT, READY, CHECKPOINT and RESET."""
    record: R | None = None
    """The object, at least as new as the change; None if not selected or deleted."""
