"""Owns sessions: tracks the commands that use each, and ends it without blocking the event loop.

The driver runs a command in a thread, which continues when its caller is cancelled: it must
return before its transaction is aborted, or it would write outside of any transaction. Leaving a
session inside a transaction makes the driver abort on the caller's thread, which searches for
seconds if no server is available.
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
    """The open sessions of one client, and the commands that use each."""

    def __init__(self, client: "AsyncIOMotorClient[Any]") -> None:
        self._client = client
        self._in_flight: dict[int, set[asyncio.Future[Any]]] = {}  # a session has no hash
        self._abandoned: set[int] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Session]:
        """Open a session; a transaction left open is aborted in the background at the end."""
        session = await self._client.start_session()
        self._in_flight[id(session)] = set()
        try:
            yield session
        finally:
            ending = asyncio.create_task(self._end(session), name="end-session")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def track(self, session: Session, command: Awaitable[T]) -> T:
        """Await a command that uses a session; it runs to its end if the caller is cancelled."""
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
        """Commit once no command uses the session any more."""
        await self.wait_idle(session)
        await self.track(session, session.commit_transaction())

    async def abort(self, session: Session) -> None:
        """Abort once no command uses the session any more.

        A command after the abort would write outside of any transaction.
        """
        await self.wait_idle(session)
        await self.track(session, session.abort_transaction())

    async def wait_idle(self, session: Session) -> None:
        """Wait until every command of a session has returned."""
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
    """Retrieve an error that no caller awaits any more: asyncio would log it as never retrieved."""
    if not result.cancelled():
        result.exception()
