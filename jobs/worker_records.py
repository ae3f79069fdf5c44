"""Frozen records of workers and their heartbeats, and of the numbers of jobs."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """Counts of non-internal jobs, each capped at `reads.MAX_COUNT`."""

    at: datetime
    """Time of the count: real time, by this host's clock."""
    pending: int
    in_progress: int
    failed: int
