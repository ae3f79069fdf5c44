"""A running attempt: its task, its slot and its stop reason."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.slots import Slot

AttemptKey = tuple[str, int]
"""A job id and an attempt number."""


class StopReason(StrEnum):
    """Why a running attempt is canceled."""

    CANCELED = "canceled"
    """A client or a function has canceled the job."""
    SHUTDOWN = "shutdown"
    """The worker is shutting down."""
    LEASE_LOST = "leaseLost"
    """The attempt no longer holds the job."""


@dataclass(slots=True)
class RunningAttempt:
    attempt: Attempt
    task: asyncio.Task[None]
    slot: Slot
    """The slot that it occupies."""
    is_slot_free: bool = False
    """Whether the slot is free again: the function has returned."""
    stop_reason: StopReason | None = None
    has_started: bool = False
    outcome: Outcome | None = None
    """Set when the function has returned, unless its own transaction has stored the outcome."""
    is_written: bool = False
    """Whether the outcome is stored."""

    @property
    def has_returned(self) -> bool:
        """Whether the function has returned: the slot is freed, the outcome not yet written."""
        return self.outcome is not None

    @property
    def is_stopping(self) -> bool:
        return self.stop_reason is not None

    def cancel(self, why: StopReason) -> None:
        """Cancel the task, at most once.

        An unstarted attempt checks `stop_reason` when it starts. A returned attempt is not
        canceled: its outcome is being written.
        """
        if self.stop_reason is None and not self.has_returned:
            self.stop_reason = why
            if self.has_started:  # an unstarted canceled task could not write an outcome
                self.task.cancel(why)

    def outcome_before_start(self) -> Outcome | None:
        """Return the outcome of a stop before the function call; None if there is none to write."""
        if self.stop_reason is StopReason.SHUTDOWN:
            return self.attempt.outcome_of_hand_back()
        return self.attempt.outcome_of_stop() if self.stop_reason is StopReason.CANCELED else None

    def outcome_after_stop(self, kind: FunctionKind) -> Outcome | None:
        """Return the outcome of a stop during the function call; None if there is none to write."""
        if self.stop_reason is StopReason.SHUTDOWN:
            return self.attempt.outcome_of_shutdown(kind)
        return self.attempt.outcome_of_stop() if self.stop_reason is StopReason.CANCELED else None
