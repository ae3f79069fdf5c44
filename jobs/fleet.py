"""The records of workers and their heartbeats."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a worker writes with each heartbeat."""

    running: int
    """How many slots are in use."""
    loop_lag_ms: int
    """The highest lag of its event loop since the previous heartbeat."""
    job_ids: tuple[str, ...]
    """The jobs that it runs, the longest running first, up to a bound."""
    unwritable: tuple[str, ...] = ()
    """Due jobs that it could neither start nor fail: MongoDB rejects every write of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker that has registered and has not been declared lost."""

    id: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int
    """How many jobs it runs at once."""
    heartbeat: Heartbeat
    started_at: datetime
    """By the server's real clock, like `heard_at`."""
    heard_at: datetime
    """When its last heartbeat was written."""
    """When its last heartbeat was written."""
