"""Measures the recovery time after the last fault. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.chaos.history import History

MAX_RECOVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Times in seconds since the last fault was repaired."""

    waiting: int
    """Jobs that existed at that time and had not ended."""
    p50_s: float
    """The time after which half of the waiting jobs had ended."""
    p99_s: float
    max_s: float
    last_s: float
    """The time after which all jobs had ended."""


def recovery(history: History) -> Recovery:
    since = history.last_fault_at
    waiting_s: list[float] = []
    new_s: list[float] = []
    for job in history.jobs.values():
        if job.completed_at is not None and job.completed_at > since:
            seconds = (job.completed_at - since).total_seconds()
            (waiting_s if job.created_at <= since else new_s).append(seconds)
    return Recovery(
        waiting=len(waiting_s),
        p50_s=percentile(waiting_s, 0.5),
        p99_s=percentile(waiting_s, 0.99),
        max_s=max(waiting_s, default=0.0),
        last_s=max([*waiting_s, *new_s], default=0.0),
    )


def percentile(values: list[float], share: float) -> float:
    """Return the nearest-rank percentile, 0 without values."""
    if not values:
        return 0.0
    return sorted(values)[math.ceil(len(values) * share) - 1]


def too_late(history: History) -> Iterator[str]:
    """All jobs end within the maximum recovery time."""
    found = recovery(history)
    if found.last_s > MAX_RECOVERY_S:
        yield f"the last job ended {found.last_s:.1f} s after the last fault"
