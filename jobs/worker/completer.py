"""Writes how attempts ended, grouped, and again until MongoDB has answered."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from jobs.clock import Clock
from jobs.group_commit import GroupCommit
from jobs.lifecycle import Move
from jobs.logs import get_log
from jobs.mongo.client import MongoError, MongoRefused, NotEncodable, may_pass
from jobs.mongo.completions import Completions, Outcome
from jobs.worker.attempt import described

OUTCOMES_AT_ONCE = 1_000
LONGEST_PAUSE_S = 1.0

log = get_log(__name__)


class Completer:
    """Accepts outcomes from every running attempt of a worker."""

    def __init__(self, completions: Completions, clock: Clock) -> None:
        self._completions = completions
        self._clock = clock
        self._group: GroupCommit[Outcome, None] = GroupCommit(self._write, OUTCOMES_AT_ONCE)

    async def complete(self, outcome: Outcome) -> None:
        """Write an outcome; returns once it is durable, or known to be refused."""
        await self._group.submit(outcome)

    async def close(self) -> None:
        await self._group.close()

    async def _write(self, outcomes: Sequence[Outcome]) -> Sequence[None]:
        try:
            await self._write_until_answered(outcomes)
        except (MongoRefused, *NotEncodable) as error:
            if len(outcomes) == 1:
                await self._fail(outcomes[0], error)
            else:  # together they are too large, or one of them is what MongoDB will not take
                middle = len(outcomes) // 2
                await self._write(outcomes[:middle])
                await self._write(outcomes[middle:])
        return [None] * len(outcomes)

    async def _fail(self, outcome: Outcome, error: Exception) -> None:
        try:
            await self._write_until_answered([_refused(outcome, error)])
        except MongoRefused as again:  # it is not the outcome, but the job's document
            offset_ms = await self._clock.offset_ms()
            if not await self._completions.fail_poisoned(outcome, again, offset_ms):
                raise

    async def _write_until_answered(self, outcomes: Sequence[Outcome]) -> None:
        # A lost reply is no matter: the guards let nothing through twice.
        pause = 0.05
        while True:
            try:
                lost = await self._completions.write(outcomes, await self._clock.offset_ms())
                break
            except (MongoError, TimeoutError) as error:
                if isinstance(error, MongoError) and not may_pass(error):
                    raise
                log.warning("completion.unanswered", jobs=len(outcomes), error=str(error))
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE_S)
        for job_id in sorted(lost):
            log.warning("attempt.refused", job_id=job_id, reason="another holds the job by now")


def _refused(outcome: Outcome, error: Exception) -> Outcome:
    """Fail the job in place of an outcome that the database does not take, a huge result say."""
    return replace(outcome, move=Move.FAIL, result=None, error=described(error))
