"""In which line a job waits: its queue, its function if that is limited, and its priority. Pure."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

DEFAULT_QUEUE: Final = "default"
QUEUE_PATTERN: Final = "^[a-z0-9_-]{1,64}$"
MAX_PRIORITY: Final = 9
MAX_WEIGHT: Final = 1_000
AGING_MS: Final = 60_000  # a job that has waited a minute longer is worth a point of priority

_LANE: Final = re.compile(
    r"(?P<queue>[a-z0-9_-]{1,64})/(?P<function>[\w.]*)(:(?P<priority>[1-9]))?(?P<reserved>!?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What is stored on a job as `queue/function:priority!`, and led by the index `due`."""

    queue: str = DEFAULT_QUEUE
    function: str | None = None
    """The function, if it has a limit of its own: its backlog must not stand before others."""
    priority: int = 0
    has_reservation: bool = False
    """Whether its jobs wait for the start that their function's rate limit gave them."""

    def __str__(self) -> str:
        priority = f":{self.priority}" if self.priority else ""
        return f"{self.queue}/{self.function or ''}{priority}{'!' if self.has_reservation else ''}"

    @property
    def limit_key(self) -> "Lane":
        """Give the lane of all priorities, which share its limits."""
        return replace(self, priority=0, has_reservation=False)

    @classmethod
    def parse(cls, text: str) -> "Lane | None":
        """Read a lane; None for what is none."""
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
    """A pending job, as the dispatcher knows it."""

    id: str
    lane: Lane
    scheduled_time: datetime
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Jobs that workers take from together. Every name is one."""

    name: str
    paused: bool = False
    """Whether its pending jobs stay so."""
    weight: int = 1
    """Its share of the workers, relative to others, when all have more due than there is room."""
    version: int = 0
    """0 for a queue that was never changed."""
    pending_due: int = 0
    """How many jobs are due in it; counted for readers only, up to 1,000."""
    workers: int = 0
    """How many workers serve it; counted for readers only."""


def is_queue_name(text: str) -> bool:
    return re.fullmatch(QUEUE_PATTERN, text) is not None


def bounds_of(queue: str) -> tuple[str, str]:
    """Give the texts between which all lanes of a queue lie, the upper one excluded."""
    return f"{queue}/", f"{queue}0"
