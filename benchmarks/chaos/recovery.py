"""Measures how long an installation took to be well again after its last fault. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.chaos.history import History

PROMISED_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Times in seconds since the last fault was made good."""

    waiting: int
    """Jobs that existed then and had not ended."""
    p50_s: float
    """When half of them had ended, and so on."""
    p99_s: float
    max_s: float
    last_s: float
    """When the last of all jobs had ended."""


def recovery(history: History) -> Recovery:
    since = history.last_fault_at
    waited: list[float] = []
    later: list[float] = []
    for job in history.jobs.values():
        if job.completed_at is not None and job.completed_at > since:
            seconds = (job.completed_at - since).total_seconds()
            (waited if job.created_at <= since else later).append(seconds)
    return Recovery(
        waiting=len(waited),
        p50_s=percentile(waited, 0.5),
        p99_s=percentile(waited, 0.99),
        max_s=max(waited, default=0.0),
        last_s=max([*waited, *later], default=0.0),
    )


def percentile(values: list[float], share: float) -> float:
    """Give the smallest value that so many are not above; 0 if there are none."""
    if not values:
        return 0.0
    return sorted(values)[math.ceil(len(values) * share) - 1]


def too_late(history: History) -> Iterator[str]:
    """Nothing ends later than promised."""
    found = recovery(history)
    if found.last_s > PROMISED_S:
        yield f"the last job ended {found.last_s:.1f} s after the last fault"
