"""An attempt that this worker is running: its task, its slot, and why it was told to stop."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.completions import Outcome
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.worker.attempt import Attempt

AttemptKey = tuple[str, int]
"""A job's id and the number of the attempt."""


class StopReason(StrEnum):
    """Why a running attempt is cancelled."""

    CANCELED = "canceled"
    """A client or a function has canceled the job."""
    SHUTDOWN = "shutdown"
    """The worker shuts down."""
    LEASE_LOST = "leaseLost"
    """The job no longer belongs to this attempt."""


@dataclass(slots=True)
class RunningAttempt:
    attempt: Attempt
    task: asyncio.Task[None]
    lane: Lane
    """The lane whose slot it occupies."""
    stop_reason: StopReason | None = None
    has_started: bool = False
    has_returned: bool = False
    """Whether its slot is free again and only its outcome is still to be written."""
    is_written: bool = False
    """Whether its outcome is in the database."""

    @property
    def is_stopping(self) -> bool:
        return self.stop_reason is not None

    def cancel(self, why: StopReason) -> None:
        """Cancel the coroutine, once.

        One that has not started checks `stop_reason` when it does. One that has returned is not
        cancelled: its outcome is being written.
        """
        if self.stop_reason is None and not self.has_returned:
            self.stop_reason = why
            if self.has_started:  # a task cancelled before its first step could write no outcome
                self.task.cancel(why)

    def outcome_before_start(self) -> Outcome | None:
        """Return the outcome if it was stopped before its function was called; None: write none."""
        if self.stop_reason is StopReason.SHUTDOWN:
            return self.attempt.release()
        return self.attempt.cancel() if self.stop_reason is StopReason.CANCELED else None

    def outcome_after_stop(self, kind: FunctionKind) -> Outcome | None:
        """Return the outcome if its function was stopped; None if there is none to write."""
        if self.stop_reason is StopReason.SHUTDOWN:
            return self.attempt.on_shutdown(kind)
        return self.attempt.cancel() if self.stop_reason is StopReason.CANCELED else None
