"""Client sessions: tracks in-flight commands, and ends sessions without blocking the event loop.

The driver runs commands in threads, which outlive the cancellation of the caller: a command must
return before its transaction is aborted, or it would write outside the transaction. If a session
ends inside a transaction, the driver aborts it on the caller's thread, which blocks for seconds if
no server is available.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession

T = TypeVar("T")

CLOSE_TIMEOUT_S: Final = 1.0

Session = AsyncIOMotorClientSession


class Sessions:
    """The open sessions of a client and their in-flight commands."""

    def __init__(self, client: "AsyncIOMotorClient[Any]") -> None:
        self._client = client
        self._in_flight: dict[
            int, set[asyncio.Future[Any]]
        ] = {}  # by id(): sessions are not hashable
        self._abandoned: set[int] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Session]:
        """Open a session; on exit, an open transaction is aborted in the background."""
        session = await self._client.start_session()
        self._in_flight[id(session)] = set()
        try:
            yield session
        finally:
            ending = asyncio.create_task(self._end(session), name="end-session")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def track(self, session: Session, command: Awaitable[T]) -> T:
        """Await a command of a session; it runs to completion if the caller is cancelled."""
        result = asyncio.ensure_future(command)
        in_flight = self._in_flight[id(session)]
        in_flight.add(result)
        result.add_done_callback(in_flight.discard)
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            self._abandoned.add(id(session))
            result.add_done_callback(_retrieve_exception)
            raise

    async def commit(self, session: Session) -> None:
        """Commit once the session is idle."""
        await self.wait_idle(session)
        await self.track(session, session.commit_transaction())

    async def abort(self, session: Session) -> None:
        """Abort once the session is idle.

        A command after the abort would write outside the transaction.
        """
        await self.wait_idle(session)
        await self.track(session, session.abort_transaction())

    async def wait_idle(self, session: Session) -> None:
        """Wait until all commands of a session have returned."""
        while in_flight := self._in_flight[id(session)]:
            await asyncio.wait(in_flight)

    def was_abandoned(self, session: Session) -> bool:
        """Return whether a caller was cancelled while it waited for the database."""
        return id(session) in self._abandoned

    async def close(self) -> None:
        """Wait up to a second for the last sessions to end."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_TIMEOUT_S)

    async def _end(self, session: Session) -> None:
        await self.wait_idle(session)
        del self._in_flight[id(session)]
        self._abandoned.discard(id(session))
        await session.end_session()


def _retrieve_exception(result: "asyncio.Future[Any]") -> None:
    """Retrieve an abandoned command's error, which asyncio would log as never retrieved."""
    if not result.cancelled():
        result.exception()
