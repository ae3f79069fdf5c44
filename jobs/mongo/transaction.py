"""Running a body in one MongoDB transaction, again if it met a transient error."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ostinato.jobs.async_wait import DeadlineExceeded
from ostinato.jobs.mongo.client import Mongo, Session, is_commit_unknown, is_transient
from ostinato.jobs.mongo.line import Line

T = TypeVar("T")
Body = Callable[[Session], Awaitable[T]]

DEADLINE_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.2  # a conflict ends when the rival commits: milliseconds
TURN_S: Final = 0.1
LATE_S: Final = 0.5
SNAPSHOT: Final = ReadConcern("snapshot")
MAJORITY: Final = WriteConcern("majority", wtimeout=10_000)


class Contended(TimeoutError):
    """A transaction met rivals, or a server that was away or slow, until its time was up."""


@dataclass(slots=True)
class _Course:
    """What a transaction has met so far."""

    began: float
    session: Session | None = None
    met: PyMongoError | None = None
    body_ended_at: float = 0.0
    """By the clock of the event loop."""


async def run_transaction(
    mongo: Mongo, body: Body[T], deadline_s: float = DEADLINE_S, *, in_line_s: float = 0.0
) -> T:
    """Commit what `body` does with its session, exactly once, or raise and leave nothing.

    The body uses the session by `mongo.sessions.answered` only. It runs again after a conflict,
    with the same arguments and a fresh snapshot. Raises DeadlineExceeded when `deadline_s` of
    real time has passed without a commit, less what it waited in line for its turn, up to
    `in_line_s` in all, whatever the body makes of its cancellation; Contended if that was no fault
    of the body, and then it may have been committed after all.
    """
    course, deadline = _Course(time.monotonic()), asyncio.timeout(deadline_s)
    try:
        async with deadline, mongo.sessions.opened() as session:
            course.session = session
            return await _run_until_committed(mongo, body, course, Line(deadline, in_line_s))
    except Exception as error:  # a user's body may turn the timeout into anything
        if not deadline.expired():
            raise
        if why := _hindrance(mongo, course, deadline):
            raise Contended(f"no commit within {deadline_s} s: {why}") from error
        raise DeadlineExceeded(f"no commit within {deadline_s} s") from error


async def run_seen_through(mongo: Mongo, body: Body[T], deadline_s: float = DEADLINE_S) -> T:
    """Do the same with a body that does nothing but use the database: nobody's cancellation
    leaves a command of it behind."""
    return await run_transaction(
        mongo, lambda session: mongo.sessions.answered(session, body(session)), deadline_s
    )


def _hindrance(mongo: Mongo, course: _Course, deadline: asyncio.Timeout) -> object:
    """Say what kept a body from its end, if anything but itself."""
    if course.met is not None:
        return course.met
    if course.session is not None and mongo.sessions.was_left(course.session):
        return "MongoDB had not answered"
    if mongo.availability.was_away_since(course.began):
        return "MongoDB was away"
    # A server that answers aborts at once; a body may take its time to end.
    since = max(deadline.when() or 0.0, course.body_ended_at)
    late_s = asyncio.get_running_loop().time() - since
    return "MongoDB did not answer" if late_s > LATE_S else None


async def _run_until_committed(mongo: Mongo, body: Body[T], course: _Course, line: Line) -> T:
    session = course.session
    assert session is not None
    pause = FIRST_PAUSE_S
    while True:
        try:
            async with turn_of(mongo, course.met is not None, line):
                begin(session)
                result = await _run_to_end(mongo, body, course, line)
                await commit(mongo, session)
                return result
        except PyMongoError as error:
            if not is_transient(error):
                raise
            course.met = error
            line.require_time()
        await asyncio.sleep(pause * random.random())
        pause = min(pause * 2, LONGEST_PAUSE_S)


@asynccontextmanager
async def turn_of(
    mongo: Mongo, has_met_rival: bool, line: Line | None = None
) -> AsyncIterator[None]:
    """Let those that have met a rival run one at a time: together they would meet again.

    A slow one, which may be no rival of the next, is waited for no longer than TURN_S.
    """
    if not has_met_rival:
        yield
        return
    turn = mongo.rivals.acquire()
    await (turn if line is None else line.wait(turn))
    is_held = True

    def release() -> None:
        nonlocal is_held
        if is_held:
            is_held = False
            mongo.rivals.release()

    asyncio.get_running_loop().call_later(TURN_S, release)
    try:
        yield
    finally:
        release()


async def _run_to_end(mongo: Mongo, body: Body[T], course: _Course, line: Line) -> T:
    session = course.session
    assert session is not None
    try:
        try:
            result = await body(session)
        finally:
            course.body_ended_at = asyncio.get_running_loop().time()
        line.require_time()
        return result
    except Exception:
        await mongo.sessions.abort(session)
        raise


def begin(session: Session) -> None:
    """Begin a transaction; whoever does so commits it, aborts it, or lets its session end.

    The driver's own `async with` would abort it when its commit is cancelled, which is an error.
    """
    session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)


async def commit(mongo: Mongo, session: Session) -> None:
    """Commit, again and again while it is not known whether it has happened."""
    while True:
        try:
            await mongo.sessions.commit(session)
            return
        except PyMongoError as error:
            if not is_commit_unknown(error):
                raise
            await asyncio.sleep(FIRST_PAUSE_S)
