"""Runs a body in one MongoDB transaction, again after a transient error."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.timeouts import DeadlineExceeded
from ostinato.jobs.mongo.client import (
    Mongo,
    Session,
    is_commit_unknown,
    is_transient_transaction_error,
)

T = TypeVar("T")
Body = Callable[[Session], Awaitable[T]]

TIMEOUT_S: Final = 10.0
MAX_QUEUE_TIME_S: Final = 30.0  # of one transaction, in all; another one takes a tenth of a second
MIN_PAUSE_S: Final = 0.005
MAX_PAUSE_S: Final = 0.2  # a conflict ends when the other transaction commits: milliseconds
MAX_LOCK_HOLD_S: Final = 0.1
UNRESPONSIVE_S: Final = 0.5
SNAPSHOT: Final = ReadConcern("snapshot")
MAJORITY: Final = WriteConcern("majority", wtimeout=10_000)


class Contended(TimeoutError):
    """A transaction timed out because of conflicts, or a server that was unavailable or slow."""


class Deadline:
    """A transaction's deadline: time in a queue does not count, up to `queue_time_s` in all."""

    def __init__(self, timeout: asyncio.Timeout, queue_time_s: float) -> None:
        self.queue_time_s = queue_time_s
        """How much more time in a queue is excluded."""
        self._timeout = timeout
        self._now = asyncio.get_running_loop().time

    def check(self) -> None:
        """Raise DeadlineExceeded if the time is over: the body may swallow its cancellation."""
        if self._timeout.expired():
            raise DeadlineExceeded("the function returned after its deadline")

    async def wait_in_queue(self, turn: Awaitable[T]) -> T:
        """Await `turn` and move the deadline by the time that took; raises what `turn` does."""
        when, started = self._timeout.when(), self._now()
        if when is None or self._timeout.expired():
            return await turn
        self._timeout.reschedule(when + self.queue_time_s)
        try:
            return await turn
        finally:
            excluded_s = min(self._now() - started, self.queue_time_s)
            self.queue_time_s -= excluded_s
            if not self._timeout.expired():
                self._timeout.reschedule(when + excluded_s)


@dataclass(slots=True)
class _Progress:
    """What has happened in a transaction so far."""

    started: float
    session: Session | None = None
    error: PyMongoError | None = None
    """The last transient error."""
    body_ended_at: float = 0.0
    """By the clock of the event loop."""


async def run_transaction(
    mongo: Mongo, body: Body[T], timeout_s: float = TIMEOUT_S, *, queue_time_s: float = 0.0
) -> T:
    """Commit what `body` does with its session, exactly once, or raise and leave nothing.

    The body uses the session only through `mongo.sessions.track`. It runs again after a conflict,
    with the same arguments and a fresh snapshot. Raises DeadlineExceeded when `timeout_s` of real
    time has passed without a commit, whatever the body does on its cancellation; waits for the
    conflict lock do not count, up to `queue_time_s` in all. Raises Contended if the body was not
    the cause, and then it may have been committed after all.
    """
    progress, timeout = _Progress(time.monotonic()), asyncio.timeout(timeout_s)
    try:
        async with timeout, mongo.sessions.open() as session:
            progress.session = session
            deadline = Deadline(timeout, queue_time_s)
            return await _run_until_committed(mongo, body, progress, deadline)
    except Exception as error:  # a user's body may turn the timeout into any other error
        if not timeout.expired():
            raise
        if cause := _cause_of_timeout(mongo, progress, timeout):
            raise Contended(f"no commit within {timeout_s} s: {cause}") from error
        raise DeadlineExceeded(f"no commit within {timeout_s} s") from error


async def run_shielded_transaction(mongo: Mongo, body: Body[T], timeout_s: float = TIMEOUT_S) -> T:
    """Run a body that only uses the database; its commands finish even if it is cancelled."""
    return await run_transaction(
        mongo, lambda session: mongo.sessions.track(session, body(session)), timeout_s
    )


def _cause_of_timeout(mongo: Mongo, progress: _Progress, timeout: asyncio.Timeout) -> object:
    """Return what kept a body from its commit, None if it was the body itself."""
    if progress.error is not None:
        return progress.error
    if progress.session is not None and mongo.sessions.was_abandoned(progress.session):
        return "MongoDB had not answered"
    if mongo.primary_monitor.was_unavailable_since(progress.started):
        return "MongoDB had no primary"
    # A responsive server aborts at once; a body may take its time to end.
    since = max(timeout.when() or 0.0, progress.body_ended_at)
    late_s = asyncio.get_running_loop().time() - since
    return "MongoDB did not answer" if late_s > UNRESPONSIVE_S else None


async def _run_until_committed(
    mongo: Mongo, body: Body[T], progress: _Progress, deadline: Deadline
) -> T:
    session = progress.session
    assert session is not None
    backoff = Backoff(MIN_PAUSE_S, MAX_PAUSE_S, jitter=(0, 1))
    while True:
        try:
            async with conflict_lock(mongo, progress.error is not None, deadline):
                begin(session)
                result = await _run_to_end(mongo, body, progress, deadline)
                await commit(mongo, session)
                return result
        except PyMongoError as error:
            if not is_transient_transaction_error(error):
                raise
            progress.error = error
            deadline.check()
        await backoff.wait()


@asynccontextmanager
async def conflict_lock(
    mongo: Mongo, has_conflicted: bool, deadline: Deadline | None = None
) -> AsyncIterator[None]:
    """Run transactions that have conflicted one at a time: together they would conflict again.

    The lock is released after MAX_LOCK_HOLD_S: a slow holder may not conflict with the next.
    """
    if not has_conflicted:
        yield
        return
    turn = mongo.conflict_lock.acquire()
    await (turn if deadline is None else deadline.wait_in_queue(turn))
    is_held = True

    def release() -> None:
        nonlocal is_held
        if is_held:
            is_held = False
            mongo.conflict_lock.release()

    asyncio.get_running_loop().call_later(MAX_LOCK_HOLD_S, release)
    try:
        yield
    finally:
        release()


async def _run_to_end(mongo: Mongo, body: Body[T], progress: _Progress, deadline: Deadline) -> T:
    session = progress.session
    assert session is not None
    try:
        try:
            result = await body(session)
        finally:
            progress.body_ended_at = asyncio.get_running_loop().time()
        deadline.check()
        return result
    except Exception:
        await mongo.sessions.abort(session)
        raise


def begin(session: Session) -> None:
    """Begin a transaction; its caller commits it, aborts it, or ends the session.

    The driver's own `async with` would abort it when its commit is cancelled, which is an error.
    """
    session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)


async def commit(mongo: Mongo, session: Session) -> None:
    """Commit, again and again while it is unknown whether the commit was applied."""
    while True:
        try:
            await mongo.sessions.commit(session)
            return
        except PyMongoError as error:
            if not is_commit_unknown(error):
                raise
            await asyncio.sleep(MIN_PAUSE_S)
