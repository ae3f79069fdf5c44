"""Group commit of attempt outcomes, retried until MongoDB accepts them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.group_commit import GroupCommit, Interrupted
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.clock import Clock
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, MongoError, is_transient, summarize
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.poisoned_jobs import rejects_content
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.worker.stored_errors import stored_error

BATCH_SIZE: Final = 1_000
FIRST_PAUSE_S: Final = 0.05
JITTER: Final = (0.5, 1.5)
MAX_PAUSE_S: Final = 1.0
MAX_REJECTED_PAUSE_S: Final = 10.0  # each retry forces a group to be bisected
GIVEN_UP: Final = "outcome.given_up"
DECIDED: Final = frozenset({TransitionName.SUCCEED, TransitionName.RETRY, TransitionName.FAIL})

log = get_log(__name__)


class OutcomeRefused(Exception):
    """MongoDB or its driver rejected an outcome."""

    def __init__(self, error: Exception) -> None:
        super().__init__(summarize(error))
        self.error = error


class OutcomeWriter:
    """Writes the outcomes of all attempts of a worker."""

    def __init__(
        self,
        outcome_store: OutcomeStore,
        clock: Clock,
        written: Callable[[Sequence[Outcome]], None],
    ) -> None:
        """`written` is called with each group of outcomes once it is durable."""
        self._outcome_store = outcome_store
        self._clock = clock
        self._written = written
        self._group: GroupCommit[Outcome, None] = GroupCommit(self._write_group, BATCH_SIZE)
        self._closing = asyncio.Event()

    async def write(self, outcome: Outcome) -> bool:
        """Write an outcome; returns True once it is durable or the attempt no longer holds the job.

        Retries rejections that may be temporary. Permanently rejected content is removed, and the
        job fails. Returns False if the worker shuts down before the write.
        """
        backoff: Backoff | None = None
        while True:
            try:
                await self._group.submit(outcome)
                return True
            except (OutcomeRefused, Interrupted) as error:
                smaller = without_rejected_content(outcome, error)
                self._report(outcome, error, will_shrink=smaller is not None)
                if smaller is None and await self._fail_if_poisoned(outcome, error):
                    return True
            if smaller is not None:
                outcome = smaller
                continue
            if self._closing.is_set():
                return False
            backoff = backoff or Backoff(FIRST_PAUSE_S, MAX_REJECTED_PAUSE_S, jitter=JITTER)
            await wait_for_event(self._closing, backoff.next_s())

    async def close(self) -> None:
        """Retry rejected outcomes once more, and wait until all submitted outcomes are written."""
        self._closing.set()
        await self._group.close()

    async def _write_group(self, outcomes: Sequence[Outcome]) -> Sequence[OutcomeRefused | None]:
        rejected = await self._try(outcomes)
        if rejected is None:
            self._written(outcomes)
            return [None] * len(outcomes)
        if len(outcomes) == 1:
            return [rejected]
        # The group is too large, or MongoDB rejects one of its outcomes.
        middle = len(outcomes) // 2
        return [
            *await self._write_group(outcomes[:middle]),
            *await self._write_group(outcomes[middle:]),
        ]

    async def _try(self, outcomes: Sequence[Outcome]) -> OutcomeRefused | None:
        """Write outcomes, retrying until MongoDB replies; returns the rejection, if any."""
        # A retry after a lost reply is safe: the guards reject a second write.
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S, jitter=JITTER)
        while True:
            try:
                lost = await self._outcome_store.write(outcomes, await self._clock.read())
                break
            except Exception as error:  # of any class: one outcome must not block the others
                if not isinstance(error, TimeoutError) and not is_transient(error):
                    return OutcomeRefused(error)
                log.warning("outcome.unanswered", jobs=len(outcomes), error=str(error))
            await backoff.wait()
        for job_id in sorted(lost):
            log.warning("attempt.superseded", job_id=job_id, reason="another attempt holds the job")
        return None

    async def _fail_if_poisoned(self, outcome: Outcome, error: Exception) -> bool:
        """Fail the job if its document accepts no outcome; returns whether it was failed."""
        if not isinstance(error, OutcomeRefused) or not rejects_content(error.error):
            return False
        try:
            clock_time = await self._clock.read()
            return await self._outcome_store.fail_poisoned(outcome, error.error, clock_time)
        except (MongoError, TimeoutError):
            return False

    def _report(
        self, outcome: Outcome, error: OutcomeRefused | Interrupted, *, will_shrink: bool
    ) -> None:
        gives_up = self._closing.is_set() and not will_shrink
        log_unwritten(GIVEN_UP if gives_up else "outcome.rejected", outcome, str(error))


def log_unwritten(event: str, outcome: Outcome, error: str) -> None:
    """Log why an outcome is not stored."""
    log.error(
        event,
        job_id=outcome.job_id,
        attempt=outcome.attempt,
        transition=outcome.transition.value,
        error=error,
    )


def without_rejected_content(outcome: Outcome, error: Exception) -> Outcome | None:
    """Return the outcome reduced by one step; None to retry it unchanged.

    The steps: drop the progress (the job can still succeed); replace a result or retry by a
    failure; drop the traceback; replace the message.
    """
    if not isinstance(error, OutcomeRefused) or not rejects_content(error.error):
        return None
    if outcome.progress is not None:
        return outcome._replace(progress=None)
    if outcome.transition not in DECIDED:
        return None
    minimal = _rejection_error(error)
    if outcome.transition is not TransitionName.FAIL or outcome.error is None:
        return outcome._replace(transition=TransitionName.FAIL, result=None, error=minimal)
    if outcome.error.get("traceback") is not None:
        return outcome._replace(error={**outcome.error, "traceback": None})
    return outcome._replace(error=minimal) if outcome.error["name"] != minimal["name"] else None


def _rejection_error(error: OutcomeRefused) -> Document:
    return stored_error("OutcomeRefused", f"MongoDB rejected the outcome of the attempt: {error}")
