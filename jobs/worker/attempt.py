"""One attempt of a job, and the outcome for each way it can end. No I/O."""

from dataclasses import dataclass
from typing import Any, Final

from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.lifecycle import (
    MAX_ATTEMPTS,
    MAX_EVENTS,
    MAX_WORKERS_LOST,
    WORKER_LOST,
    TransitionName,
)
from ostinato.jobs.mongo.claimed_jobs import MALFORMED_ERRORS, ClaimedJob
from ostinato.jobs.mongo.job_documents import retry_from
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import FunctionKind, Json
from ostinato.jobs.retry import Random, RetryAfter, parse_when
from ostinato.jobs.worker.stored_errors import stored_error

INFRASTRUCTURE_DELAY_MS: Final = 1_000  # added to the timeout that has already elapsed
MAX_INFRASTRUCTURE_DELAY_MS: Final = 8_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a claimed job."""

    claimed: ClaimedJob
    retention_ms: int
    """Retention of the job, if this attempt ends it."""

    @property
    def job_id(self) -> str:
        return self.claimed.id

    @property
    def number(self) -> int:
        """The fencing token: starts at 1 and increases with every start."""
        return self.claimed.attempt

    @property
    def function_name(self) -> str:
        return self.claimed.function_name

    @property
    def max_attempts(self) -> int:
        return self.claimed.max_attempts

    @property
    def is_last(self) -> bool:
        return self.number >= self.max_attempts

    def outcome_of_success(self, result: Json) -> Outcome:
        return self._outcome(TransitionName.SUCCEED, result=result)

    def outcome_of_stop(self) -> Outcome:
        return self._outcome(TransitionName.STOP)

    def outcome_of_error(
        self, error: dict[str, Any], random: Random, after: RetryAfter | None = None
    ) -> Outcome:
        """Return the outcome for an exception that the retry policy covers.

        The job is retried after the policy's delay, or at the time given by `RetryAfter`; it
        fails if no attempt is left.
        """
        if self.is_last:
            return self.outcome_of_failure(error)
        if after is not None:
            return self._retry_at_given_time(error, after)
        try:
            retry = retry_from(self.claimed.policy)
        except MALFORMED_ERRORS:  # without a valid policy the delay is unknown
            return self.outcome_of_failure(error)
        first_of_set = self.max_attempts - retry.max_attempts
        delay_ms = retry.delay_ms(max(1, self.number - first_of_set), random)
        return self._outcome(TransitionName.RETRY, error=error, delay_ms=delay_ms)

    def outcome_of_failure(self, error: dict[str, Any]) -> Outcome:
        """Return the outcome of an error after which the job does not run again."""
        return self._outcome(TransitionName.FAIL, error=error)

    def outcome_of_infrastructure_error(self, error: dict[str, Any], random: Random) -> Outcome:
        """Return the outcome for a mutation whose commit an outage or conflict prevented.

        Nothing was written, so it is retried soon, even beyond its policy, up to MAX_ATTEMPTS.
        The delay has jitter, so that conflicting mutations do not collide again.
        """
        if self.number >= MAX_ATTEMPTS:
            return self._outcome(TransitionName.FAIL, error=error)
        delay_cap_ms = min(
            INFRASTRUCTURE_DELAY_MS * 2 ** (self.number - 1), MAX_INFRASTRUCTURE_DELAY_MS
        )
        delay_ms = int(delay_cap_ms * (0.5 + random() / 2))
        return self._outcome(TransitionName.RETRY, error=error, delay_ms=delay_ms)

    def outcome_of_full_timeline(self) -> Outcome:
        """Return the outcome of a job with a full timeline: it fails without a call."""
        message = f"the job's timeline is full ({MAX_EVENTS} events): schedule a new job"
        return self._outcome(TransitionName.FAIL, error=stored_error("TimelineFull", message))

    def outcome_of_hand_back(self) -> Outcome:
        """Return the outcome that makes a claimed but unstarted job pending again."""
        return self._outcome(TransitionName.HAND_BACK)

    def outcome_of_shutdown(self, kind: FunctionKind) -> Outcome:
        """Return the outcome for an attempt interrupted by a shutdown."""
        if may_run_again(kind, self.is_last) and self.number < MAX_ATTEMPTS:
            return self._outcome(TransitionName.HAND_BACK)
        message = "the worker shut down during the last attempt"
        return self._outcome(TransitionName.FAIL, error=stored_error("WorkerStopped", message))

    def outcome_of_lost_write(self, kind: FunctionKind) -> Outcome | None:
        """Return the outcome for a started attempt whose outcome was not stored.

        None if the job may be handed back and run again.
        """
        if may_run_again(kind, self.is_last) and self.number < MAX_ATTEMPTS:
            return None
        message = "the outcome of the last attempt could not be stored"
        return self._outcome(TransitionName.FAIL, error=stored_error("OutcomeLost", message))

    def outcome_of_lost_worker(
        self, kind: FunctionKind | None, times_lost: int, worker_id: str
    ) -> Outcome:
        """Return the outcome for a lost worker's attempt; `times_lost` includes this loss."""
        error = stored_error(
            WORKER_LOST, f"worker {worker_id} stopped sending heartbeats while running the job"
        )
        again = may_run_again(kind, self.is_last) and times_lost < MAX_WORKERS_LOST
        return self._outcome(TransitionName.RESCUE if again else TransitionName.FAIL, error=error)

    def _retry_at_given_time(self, error: dict[str, Any], after: RetryAfter) -> Outcome:
        try:
            when = parse_when(after.when)  # mutable: the function may have changed it
        except (ValueError, AttributeError) as invalid:
            return self.outcome_of_failure(
                {**error, "message": replace_surrogates(f"RetryAfter: {invalid}")}
            )
        if isinstance(when, int):
            return self._outcome(TransitionName.RETRY, error=error, delay_ms=when)
        return self._outcome(TransitionName.RETRY, error=error)._replace(due_at=when)

    def _outcome(
        self,
        transition: TransitionName,
        *,
        result: Json = None,
        error: dict[str, Any] | None = None,
        delay_ms: int = 0,
    ) -> Outcome:
        return Outcome(
            job_id=self.job_id,
            attempt=self.number,
            transition=transition,
            retention_ms=self.retention_ms,
            function_name=self.function_name,
            result=result,
            error=error,
            delay_ms=delay_ms,
        )


def may_run_again(kind: FunctionKind | None, last: bool) -> bool:
    """Return whether a job may run again after an interrupted attempt.

    A mutation always may: it committed nothing. An action may have had external effects, so its
    retry policy must have an attempt left.
    """
    return kind is FunctionKind.MUTATION or not last
