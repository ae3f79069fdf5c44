"""Workers as operators see them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a worker says of itself with each heartbeat."""

    running: int
    """How many slots are taken."""
    loop_lag_ms: int
    """How late its event loop was at worst since the heartbeat before."""
    job_ids: tuple[str, ...]
    """What it runs, the longest running first, up to a bound."""
    unwritable: tuple[str, ...] = ()
    """Due jobs that it could neither start nor fail: MongoDB refuses each write of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that has registered and has not been declared lost."""

    id: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int
    """How many jobs it runs at once."""
    load: Load
    started_at: datetime
    """The server's real clock, as all that is about liveness."""
    heard_at: datetime
