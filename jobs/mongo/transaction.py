"""Running a body in one MongoDB transaction, again if it met a transient error."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from jobs.mongo.client import Mongo, Session, is_commit_unknown, is_transient

T = TypeVar("T")
Body = Callable[[Session], Awaitable[T]]

DEADLINE_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.2  # a conflict ends when the rival commits: milliseconds
LATE_S: Final = 0.5
SNAPSHOT: Final = ReadConcern("snapshot")
MAJORITY: Final = WriteConcern("majority", wtimeout=10_000)


class Contended(TimeoutError):
    """A transaction met rivals, or an unreachable server, until its time was up."""


async def run_transaction(mongo: Mongo, body: Body[T], deadline_s: float = DEADLINE_S) -> T:
    """Commit what `body` does with its session, exactly once, or raise and leave nothing.

    The body runs again after a conflict, with the same arguments and a fresh snapshot. Raises
    TimeoutError when `deadline_s` of real time has passed without a commit: Contended if it had
    to run again.
    """
    met: list[PyMongoError] = []
    try:
        async with asyncio.timeout(deadline_s) as deadline:
            async with await mongo.client.start_session() as session:
                return await _run_until_committed(session, body, met)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        if met or _late_s(deadline) > LATE_S:
            why = met[-1] if met else "MongoDB did not answer"
            raise Contended(f"no commit within {deadline_s} s: {why}") from error
        raise


def _late_s(deadline: asyncio.Timeout) -> float:
    """Tell how long after its deadline a transaction was aborted: a server answers at once."""
    return asyncio.get_running_loop().time() - (deadline.when() or 0.0)


async def _run_until_committed(session: Session, body: Body[T], met: list[PyMongoError]) -> T:
    pause = FIRST_PAUSE_S
    while True:
        try:
            return await _run_once(session, body)
        except PyMongoError as error:
            if not is_transient(error):
                raise
            met[:] = [error]
        await asyncio.sleep(pause * random.random())
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def _run_once(session: Session, body: Body[T]) -> T:
    async with session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY):
        result = await body(session)
        # Leaving the block would commit as well, but not again when the reply is lost.
        await _commit(session)
        return result


async def _commit(session: Session) -> None:
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not is_commit_unknown(error):
                raise
            await asyncio.sleep(FIRST_PAUSE_S)
