"""Writes how attempts ended, grouped, and again until MongoDB has taken it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ostinato.jobs.async_wait import wait_for_event
from ostinato.jobs.clock import Clock
from ostinato.jobs.group_commit import GroupCommit, Interrupted
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, MongoError, is_transient, summarize
from ostinato.jobs.mongo.completions import Completions, Outcome
from ostinato.jobs.mongo.poisoned_jobs import rejects_content
from ostinato.jobs.worker.attempt import stored_error

BATCH_SIZE: Final = 1_000
FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 1.0
MAX_REFUSED_PAUSE_S: Final = 10.0  # each try of a refused outcome splits a group of others
DECIDED: Final = frozenset({TransitionName.SUCCEED, TransitionName.RETRY, TransitionName.FAIL})

log = get_log(__name__)


class OutcomeRefused(Exception):
    """MongoDB, or the driver, does not take an outcome."""

    def __init__(self, error: Exception) -> None:
        super().__init__(summarize(error))
        self.error = error


class Completer:
    """Accepts outcomes from every running attempt of a worker."""

    def __init__(
        self, completions: Completions, clock: Clock, written: Callable[[Sequence[Outcome]], None]
    ) -> None:
        """`written` is called with each group once it is durable."""
        self._completions = completions
        self._clock = clock
        self._written = written
        self._group: GroupCommit[Outcome, None] = GroupCommit(self._write, BATCH_SIZE)
        self._closing = asyncio.Event()

    async def complete(self, outcome: Outcome) -> bool:
        """Write an outcome; returns once it is durable, or the job is known to be another's.

        A refusal that may pass is waited out. What MongoDB will never take is left out, and the
        job fails in its place. Returns False if the worker closes before either is written.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._group.submit(outcome)
                return True
            except (OutcomeRefused, Interrupted) as error:
                smaller = without_refused_content(outcome, error)
                self._report(outcome, error, will_shrink=smaller is not None)
                if smaller is None and await self._is_poisoned(outcome, error):
                    return True
            if smaller is not None:
                outcome = smaller
                continue
            if self._closing.is_set():
                return False
            await wait_for_event(self._closing, pause * (0.5 + random.random()))
            pause = min(pause * 2, MAX_REFUSED_PAUSE_S)

    async def close(self) -> None:
        """Try what was refused a last time, and wait until all that was submitted is written."""
        self._closing.set()
        await self._group.close()

    async def _write(self, outcomes: Sequence[Outcome]) -> Sequence[OutcomeRefused | None]:
        refused = await self._try(outcomes)
        if refused is None:
            self._written(outcomes)
            return [None] * len(outcomes)
        if len(outcomes) == 1:
            return [refused]
        # Together they are too large, or one of them is what MongoDB will not take.
        middle = len(outcomes) // 2
        return [*await self._write(outcomes[:middle]), *await self._write(outcomes[middle:])]

    async def _try(self, outcomes: Sequence[Outcome]) -> OutcomeRefused | None:
        """Write outcomes until MongoDB has answered; returns its refusal."""
        # A lost reply is no matter: the guards let nothing through twice.
        pause = FIRST_PAUSE_S
        while True:
            try:
                lost = await self._completions.write(outcomes, await self._clock.offset_ms())
                break
            except Exception as error:  # of one outcome, whatever it is: the others must be written
                if not isinstance(error, TimeoutError) and not is_transient(error):
                    return OutcomeRefused(error)
                log.warning("completion.unanswered", jobs=len(outcomes), error=str(error))
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, MAX_PAUSE_S)
        for job_id in sorted(lost):
            log.warning("attempt.superseded", job_id=job_id, reason="another holds the job by now")
        return None

    async def _is_poisoned(self, outcome: Outcome, error: Exception) -> bool:
        """Return whether it is the job's document that refuses its end, and failed it for that."""
        if not isinstance(error, OutcomeRefused) or not rejects_content(error.error):
            return False
        try:
            offset_ms = await self._clock.offset_ms()
            return await self._completions.fail_poisoned(outcome, error.error, offset_ms)
        except (MongoError, TimeoutError):
            return False

    def _report(
        self, outcome: Outcome, error: OutcomeRefused | Interrupted, *, will_shrink: bool
    ) -> None:
        gives_up = self._closing.is_set() and not will_shrink
        log.error(
            "completion.given_up" if gives_up else "completion.refused",
            job_id=outcome.job_id,
            attempt=outcome.attempt,
            move=outcome.transition.value,
            error=str(error),
        )


def without_refused_content(outcome: Outcome, error: Exception) -> Outcome | None:
    """Leave out of an outcome what MongoDB may have refused; None to try the same again.

    The progress goes first, since the job can end well without it. Then the job fails in place of
    its result, or of another attempt, and the error loses its traceback, then its own words.
    """
    if not isinstance(error, OutcomeRefused) or not rejects_content(error.error):
        return None
    if outcome.progress is not None:
        return replace(outcome, progress=None)
    if outcome.transition not in DECIDED:
        return None
    least = _refusal_error(error)
    if outcome.transition is not TransitionName.FAIL or outcome.error is None:
        return replace(outcome, transition=TransitionName.FAIL, result=None, error=least)
    if outcome.error.get("traceback") is not None:
        return replace(outcome, error={**outcome.error, "traceback": None})
    return replace(outcome, error=least) if outcome.error["name"] != least["name"] else None


def _refusal_error(error: OutcomeRefused) -> Document:
    return stored_error("OutcomeRefused", f"MongoDB refused how the attempt ended: {error}")
