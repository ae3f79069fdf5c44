"""The input of a new job."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ostinato.jobs.lanes import DEFAULT_QUEUE
from ostinato.jobs.records import Cause, JsonObject
from ostinato.jobs.registry import AnyTarget
from ostinato.jobs.tracing import tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to insert; its arguments have been validated."""

    function: AnyTarget
    args: JsonObject
    owner: str | None
    cause: Cause
    scheduled_time: datetime
    key: str | None = None
    """The client's idempotency key, unique per owner."""
    tick: dict[str, Any] | None = None
    """The key of a tick job; see `DeduplicationKey`."""
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    """From 0 to 9; higher runs sooner."""
    tags: tuple[str, ...] = ()
    timeout_ms: int | None = None
    """Real time that one attempt may take; None: the function's timeout."""
    traceparent: str | None = field(default_factory=lambda: tracing.current_traceparent())
    """The position in the trace of what schedules it."""
    root_id: str | None = None
    """The first job of the tree of the job that schedules it; None if no job does."""
    canceled: bool = False
    """Whether to insert it as canceled, because its parent job was canceled."""
