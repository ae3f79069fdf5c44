"""Aborts a mutation function's transaction if its attempt no longer owns the job."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ostinato.jobs.context import AttemptLost
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.client import ENCODING_ERRORS, Session
from ostinato.jobs.mongo.completions import Outcome
from ostinato.jobs.records import Json
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.progress import ProgressReport

WriteOutcome = Callable[[Session, Outcome, int], Awaitable[bool]]
"""Writes an outcome in a transaction, given the offset of due time in milliseconds; returns False
if the attempt no longer owns the job."""


@dataclass(frozen=True, slots=True)
class AttemptFence:
    engine: Engine
    write: WriteOutcome
    attempt: Attempt
    progress: ProgressReport

    async def check(self, session: Session) -> None:
        """Raise AttemptLost unless the attempt still owns its job.

        A rerun after a conflict reads a new snapshot, in which the owner may have changed.
        """
        attempt = self.attempt
        if not await self.engine.store.owns(session, attempt.job_id, attempt.number):
            raise AttemptLost

    async def finish(self, session: Session, result: Json) -> None:
        """Write the success as the transaction's last write, or raise AttemptLost."""
        success = self.attempt.succeed(result)
        try:
            shown = replace(success, progress=self.progress.unwritten)
            is_held = await self._write(session, shown)
        except ENCODING_ERRORS:  # nothing was sent, so the transaction continues
            is_held = await self._write(session, success)
        if not is_held:
            raise AttemptLost

    async def _write(self, session: Session, outcome: Outcome) -> bool:
        return await self.write(session, outcome, await self.engine.clock.offset_ms())
