"""The record of the numbers of jobs in each state."""

from dataclasses import dataclass, replace
from datetime import datetime

from ostinato.jobs.worker_records import JobCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTotals:
    """The numbers of non-internal jobs in each state, at one instant."""

    at: datetime
    """Scheduler time."""
    pending_due: int
    pending_scheduled: int
    """Pending jobs that are due later."""
    in_progress: int
    succeeded: int
    failed: int
    canceled: int
    is_exact: bool = True
    """False if there are too many jobs: then there are at least as many as each number says."""

    def at_least(self, counts: JobCounts) -> "JobTotals":
        """Return inexact totals, with those of `counts` that are higher."""
        return replace(
            self,
            in_progress=max(self.in_progress, counts.in_progress),
            failed=max(self.failed, counts.failed),
            is_exact=False,
        )
