"""The outcomes of a cron's runs: which have not ended, and how many have failed in a row. No I/O.

A cron's document lists its newest runs in `executions`, in the order of their ticks, until their
outcomes are counted in `failuresInARow`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.lifecycle import ACTIVE_STATES
from ostinato.jobs.records import JobState

RELEASE_QUEUED: Final = "crons.releaseQueued"
"""The built-in function that starts a tick that is queued, or left of a backfill, when the run
before it has ended."""
MAX_TRACKED: Final = 1_000  # runs; older ones are not waited for
MAX_OVERLAPPING: Final = 100  # the same, of a cron whose runs may overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """When the run of a tick was planned, with its random delay, and when it started."""

    planned_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """The runs of a cron, as of now."""

    active: tuple[str, ...]
    """The runs that have not ended."""
    tracked: tuple[str, ...]
    """The runs from the oldest active one on."""
    failures: int
    """The failures in a row, up to the runs that are tracked."""
    failures_in_a_row: int
    """The same, with those of the tracked runs that have ended."""


def executions_in(cron: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the tracked runs in a cron's document, and the failures in a row before them."""
    stored, failures = cron.get("executions"), cron.get("failuresInARow")
    executions = stored if isinstance(stored, list) else []
    return (
        [job_id for job_id in executions if type(job_id) is str],
        failures if isinstance(failures, int) else 0,
    )


def count_failures(
    failures: int,
    executions: Sequence[str],
    states: Mapping[str, str],
    max_tracked: int = MAX_TRACKED,
) -> RunHistory:
    """Count the failed runs since the last success; canceled runs change nothing.

    `states` are those of the existing jobs. A job that is gone counts as a success: one that failed
    stays until its failure is resolved.
    """
    tracked = list(executions)
    while tracked and (_has_ended(states, tracked[0]) or len(tracked) > max_tracked):
        failures = _counted(failures, states.get(tracked.pop(0)))
    now = failures
    for job_id in tracked:
        if _has_ended(states, job_id):
            now = _counted(now, states.get(job_id))
    return RunHistory(
        active=tuple(job_id for job_id in tracked if not _has_ended(states, job_id)),
        tracked=tuple(tracked),
        failures=failures,
        failures_in_a_row=now,
    )


def _has_ended(states: Mapping[str, str], job_id: str) -> bool:
    return states.get(job_id) not in ACTIVE_STATES


def _counted(failures: int, state: str | None) -> int:
    if state == JobState.FAILED:
        return failures + 1
    if state in (None, JobState.SUCCESS):
        return 0
    return failures
