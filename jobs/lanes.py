"""Lanes: partitions of the pending jobs by queue, limited function and priority. No I/O."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import blake2s
from typing import Final, NamedTuple

DEFAULT_QUEUE: Final = "default"
QUEUE_PATTERN: Final = "^[a-z0-9_-]{1,64}$"
MAX_PRIORITY: Final = 9
MAX_WEIGHT: Final = 1_000
UNRESOLVED: Final = "?"
"""Stands for the function of a job whose scheduler did not know the function: see
`worker.unresolved_jobs`."""
AGING_MS: Final = 60_000  # one point of priority per minute of waiting
MAX_CACHED_TAGS: Final = 10_000

_LANE: Final = re.compile(
    r"(?P<queue>[a-z0-9_-]{1,64})/(?P<function>\?|[\w.]*)(:(?P<priority>[1-9]))?(?P<reserved>!?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A partition of the pending jobs, stored as `queue/function:priority!`."""

    queue: str = DEFAULT_QUEUE
    function: str | None = None
    """Set for functions with a limit, whose backlog must not block other jobs; or UNRESOLVED."""
    priority: int = 0
    has_reservation: bool = False
    """Whether its jobs have a start time reserved by their function's rate limit."""

    def __str__(self) -> str:
        priority = f":{self.priority}" if self.priority else ""
        return f"{self.queue}/{self.function or ''}{priority}{'!' if self.has_reservation else ''}"

    @property
    def limit_lane(self) -> "Lane":
        """Return the lane without priority or reservation: all lanes with its limit share it."""
        return replace(self, priority=0, has_reservation=False)

    @classmethod
    def parse(cls, text: str) -> "Lane | None":
        """Parse a stored lane; returns None for any other text."""
        found = _LANE.fullmatch(text)
        if found is None:
            return None
        return cls(
            queue=found["queue"],
            function=found["function"] or None,
            priority=int(found["priority"] or 0),
            has_reservation=bool(found["reserved"]),
        )


class PendingJob(NamedTuple):
    """The fields of a pending job that the dispatcher reads."""

    id: str
    lane: Lane
    scheduled_time: datetime
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A named group of jobs. Queues need not be created: every valid name is a queue."""

    name: str
    paused: bool = False
    """Whether starts of its pending jobs are suspended."""
    weight: int = 1
    """Its share of the slots, relative to other queues, while more jobs are due than can run."""
    version: int = 0
    """0 for default settings that were never changed."""
    pending_due: int = 0
    """Number of due jobs, capped at 1,000; set only in API results."""
    workers: int = 0
    """Number of workers that serve the queue; set only in API results."""


@lru_cache(MAX_CACHED_TAGS)
def owner_tag(owner: str | None) -> str:
    """Return a hash of an owner (16 characters), for messages in Redis; None is an owner, too."""
    return blake2s(repr(owner).encode(), digest_size=8).hexdigest()


def is_queue_name(text: str) -> bool:
    return re.fullmatch(QUEUE_PATTERN, text) is not None


def lane_bounds(queue: str) -> tuple[str, str]:
    """Return the inclusive lower and the exclusive upper bound of a queue's stored lanes."""
    return f"{queue}/", f"{queue}0"
