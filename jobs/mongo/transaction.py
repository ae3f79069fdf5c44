"""Runs a body in one MongoDB transaction, with retries after transient errors."""

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
MAX_QUEUE_TIME_S: Final = 30.0  # per transaction, in total; each turn takes up to 0.1 s
MIN_PAUSE_S: Final = 0.005
MAX_PAUSE_S: Final = 0.2  # a conflict lasts until the other transaction commits: milliseconds
MAX_LOCK_HOLD_S: Final = 0.1
UNRESPONSIVE_S: Final = 0.5
SNAPSHOT: Final = ReadConcern("snapshot")
MAJORITY: Final = WriteConcern("majority", wtimeout=10_000)


class Contended(TimeoutError):
    """A transaction timed out because of conflicts, or because MongoDB was unavailable or slow."""


class RerunNeeded(PyMongoError):
    """Raised by a body that must be rolled back and rerun, like after a write conflict."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, error_labels=["TransientTransactionError"])


class Deadline:
    """A transaction's deadline; excludes queueing time, up to `queue_time_s` in total."""

    def __init__(self, timeout: asyncio.Timeout, queue_time_s: float) -> None:
        self.queue_time_s = queue_time_s
        """The remaining queueing time to exclude."""
        self._timeout = timeout
        self._now = asyncio.get_running_loop().time

    def check(self) -> None:
        """Raise DeadlineExceeded after the deadline: the body may swallow its cancellation."""
        if self._timeout.expired():
            raise DeadlineExceeded("the function returned after its deadline")

    async def wait_in_queue(self, turn: Awaitable[T]) -> T:
        """Await `turn` and extend the deadline by the time waited; propagates its errors."""
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
    """The progress of a transaction."""

    started: float
    session: Session | None = None
    error: PyMongoError | None = None
    """The last transient error."""
    body_ended_at: float = 0.0
    """In event loop time."""


async def run_transaction(
    mongo: Mongo, body: Body[T], timeout_s: float = TIMEOUT_S, *, queue_time_s: float = 0.0
) -> T:
    """Commit the writes of `body` exactly once, or raise and leave no trace.

    The body must use the session only through `mongo.sessions.track`. After a conflict, it is
    retried with a fresh snapshot. Raises DeadlineExceeded if nothing was committed within
    `timeout_s` of real time, even if the body ignores its cancellation; waits for the conflict lock
    are excluded, up to `queue_time_s` in total. Raises Contended if the body was not the cause of
    the timeout; the transaction may then have been committed.
    """
    progress, timeout = _Progress(time.monotonic()), asyncio.timeout(timeout_s)
    try:
        async with timeout, mongo.sessions.open() as session:
            progress.session = session
            deadline = Deadline(timeout, queue_time_s)
            return await _run_until_committed(mongo, body, progress, deadline)
    except Exception as error:  # a user's body may convert the timeout to any other error
        if not timeout.expired():
            raise
        if cause := _cause_of_timeout(mongo, progress, timeout):
            raise Contended(f"no commit within {timeout_s} s: {cause}") from error
        raise DeadlineExceeded(f"no commit within {timeout_s} s") from error


async def run_shielded_transaction(mongo: Mongo, body: Body[T], timeout_s: float = TIMEOUT_S) -> T:
    """Run a body of database commands only; they complete even if the caller is canceled."""
    return await run_transaction(
        mongo, lambda session: mongo.sessions.track(session, body(session)), timeout_s
    )


def _cause_of_timeout(mongo: Mongo, progress: _Progress, timeout: asyncio.Timeout) -> object:
    """Return the external cause of a timeout; None if the body itself was too slow."""
    if progress.error is not None:
        return progress.error
    if progress.session is not None and mongo.sessions.was_abandoned(progress.session):
        return "MongoDB had not responded"
    if mongo.primary_monitor.was_unavailable_since(progress.started):
        return "MongoDB had no primary"
    # A responsive server aborts immediately; the body may end late.
    since = max(timeout.when() or 0.0, progress.body_ended_at)
    late_s = asyncio.get_running_loop().time() - since
    return "MongoDB did not respond" if late_s > UNRESPONSIVE_S else None


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
    """Serialize transactions that have conflicted: concurrent retries would conflict again.

    Released after MAX_LOCK_HOLD_S at the latest: a slow holder must not block all others.
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
    """Begin a transaction; the caller commits or aborts it, or ends the session.

    The driver's own `async with` would abort it when its commit is canceled, which is an error.
    """
    session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)


async def commit(mongo: Mongo, session: Session) -> None:
    """Commit; retries while the result of the commit is unknown."""
    while True:
        try:
            await mongo.sessions.commit(session)
            return
        except PyMongoError as error:
            if not is_commit_unknown(error):
                raise
            await asyncio.sleep(MIN_PAUSE_S)
