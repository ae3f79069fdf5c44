"""The outcome of an attempt: the transition to make, with its result, error or delay."""

from datetime import datetime
from typing import Any, NamedTuple

from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.records import Json


class Outcome(NamedTuple):
    """The outcome of an attempt; the attempt number is the fencing token."""

    job_id: str
    attempt: int
    transition: TransitionName
    retention_ms: int
    """Retention of the job, if the transition is final."""
    function_name: str = ""
    """For the log and the counts."""
    result: Json = None
    error: dict[str, Any] | None = None
    """{name, message, traceback}"""
    delay_ms: int = 0
    """Delay before the next attempt."""
    due_at: datetime | None = None
    """Due time of the next attempt, instead of a delay."""
    progress: dict[str, Any] | None = None
    """The last reported progress, if not yet written."""
