"""Logs and counts every failed attempt, whatever made it fail, and counts successes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.function_counters import FunctionCounters
from ostinato.jobs.logs import LogThrottle, get_log

PERIOD_S: Final = 1.0  # identical failures are logged once in it
MAX_LINES: Final = 100  # per period and process; metrics count all failures

log = get_log(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """An attempt that failed, without the job's owner and arguments: they are not logged."""

    function_name: str
    job_id: str
    attempt: int
    error: dict[str, Any]
    """{name, message, traceback}, each of limited length."""
    retry_in_ms: int | None = None
    """Delay of the next attempt; None after the last attempt."""
    retry_at: datetime | None = None
    """Due time of the next attempt, if the function has chosen it."""

    @property
    def will_retry(self) -> bool:
        return self.retry_in_ms is not None or self.retry_at is not None


class FailureLog:
    """Writes `job.retrying` and `job.failed`: one line of identical failures a second."""

    def __init__(self, counters: FunctionCounters | None = None) -> None:
        """`counters` count also the failures that are not logged."""
        self._counters = counters
        self._throttle = LogThrottle(PERIOD_S, max_lines=MAX_LINES)

    def write(self, failed: FailedAttempt, **more: str) -> None:
        """Log a failed attempt, unless an identical failure was logged within a second."""
        self._count(failed)
        error = failed.error
        key = (failed.function_name, error["name"], error["message"], failed.will_retry)
        if not self._throttle.allows(key):
            return
        fields: dict[str, object] = {
            "function": failed.function_name,
            "job_id": failed.job_id,
            "attempt": failed.attempt,
            "error": error["name"],
            "message": error["message"],
            **more,
        }
        if error.get("traceback"):
            fields["exception"] = error["traceback"]
        if failed.retry_at is not None:
            log.warning("job.retrying", **fields, retry_at=failed.retry_at.isoformat())
        elif failed.retry_in_ms is not None:
            log.warning("job.retrying", **fields, retry_in_ms=failed.retry_in_ms)
        else:
            log.error("job.failed", **fields)

    def count_success(self, function_name: str) -> None:
        """Count a job that has succeeded."""
        if self._counters is not None:
            self._counters.of(function_name).successes += 1

    def _count(self, failed: FailedAttempt) -> None:
        if self._counters is None:
            return
        counts = self._counters.of(failed.function_name)
        if failed.will_retry:
            counts.retries += 1
        else:
            counts.failures += 1
