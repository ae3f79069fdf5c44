"""Frozen records of workers and their heartbeats."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The fields that a worker updates with each heartbeat."""

    running: int
    """Number of slots in use."""
    loop_lag_ms: int
    """The highest lag of its event loop since the previous heartbeat."""
    job_ids: tuple[str, ...]
    """The running jobs, longest running first, up to a limit."""
    unwritable: tuple[str, ...] = ()
    """Due jobs that the worker can neither start nor fail, since MongoDB rejects their writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A registered worker that was not declared lost."""

    id: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int
    """Maximum number of concurrent jobs."""
    heartbeat: Heartbeat
    started_at: datetime
    """Real time of the MongoDB server, not scheduler time; so is `heard_at`."""
    heard_at: datetime
    """The time of the last heartbeat."""
