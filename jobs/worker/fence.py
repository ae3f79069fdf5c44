"""Holds a mutation function's transaction to the attempt that runs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from jobs.context import AttemptLost
from jobs.engine import Engine
from jobs.mongo.client import Session
from jobs.mongo.completions import Outcome
from jobs.records import Json
from jobs.worker.attempt import Attempt
from jobs.worker.progress import ProgressReport

WriteLast = Callable[[Session, Outcome, int], Awaitable[bool]]
"""Writes an outcome in a transaction, with the offset of due time in milliseconds; answers False
if the attempt is lost."""


@dataclass(frozen=True, slots=True)
class AttemptFence:
    engine: Engine
    write: WriteLast
    attempt: Attempt
    progress: ProgressReport

    async def check(self, session: Session) -> None:
        """Raise AttemptLost unless the attempt still holds its job.

        A rerun after a conflict starts from a fresh snapshot, in which it may be another's.
        """
        attempt = self.attempt
        if not await self.engine.store.is_held(session, attempt.job_id, attempt.number):
            raise AttemptLost

    async def finish(self, session: Session, result: Json) -> None:
        """Write the success as the transaction's last write, or raise AttemptLost."""
        outcome = replace(self.attempt.succeeded(result), progress=self.progress.unwritten)
        offset_ms = await self.engine.clock.offset_ms()
        if not await self.write(session, outcome, offset_ms):
            raise AttemptLost
