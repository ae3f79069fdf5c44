"""Ties the transaction of a mutation function to its attempt, and calls the function in it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ostinato.jobs.context import AttemptLost, Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    MongoError,
    Session,
    was_raised_by_our_client,
)
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import Json
from ostinato.jobs.registry import Function
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.progress import ProgressReport

WriteOutcome = Callable[[Session, Outcome, ClockTime], Awaitable[bool]]
"""Writes an outcome in a transaction; returns False if the attempt no longer holds the job."""


class UserClientError(Exception):
    """Wraps an error of a MongoDB client opened by the function.

    Unwrapped, the transaction would treat it as its own error and rerun the function.
    """

    def __init__(self, error: MongoError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class AttemptFence:
    """Aborts a mutation function's transaction if its attempt no longer holds the job."""

    engine: Engine
    write: WriteOutcome
    attempt: Attempt
    progress: ProgressReport

    async def check(self, session: Session) -> None:
        """Raise AttemptLost unless the attempt still holds its job.

        A rerun after a conflict reads a new snapshot, in which the owner may have changed.
        """
        attempt = self.attempt
        if not await self.engine.store.holds(session, attempt.job_id, attempt.number):
            raise AttemptLost

    async def finish(self, session: Session, result: Json) -> None:
        """Write the success as the transaction's last write, or raise AttemptLost."""
        success = self.attempt.outcome_of_success(result)
        try:
            with_progress = success._replace(progress=self.progress.unwritten)
            is_held = await self._write(session, with_progress)
        except ENCODING_ERRORS:  # nothing was sent, so the transaction continues
            is_held = await self._write(session, success)
        if not is_held:
            raise AttemptLost

    async def _write(self, session: Session, outcome: Outcome) -> bool:
        return await self.write(session, outcome, await self.engine.clock.read())


async def call_mutation(function: Function, ctx: Context, keyword_arguments: dict[str, Any]) -> Any:
    """Call a mutation function; wraps errors of its own MongoDB client in UserClientError."""
    try:
        return await function.call(ctx, **keyword_arguments)
    except MongoError as error:
        if was_raised_by_our_client(error):
            raise
        raise UserClientError(error) from error
