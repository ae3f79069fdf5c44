"""Client sessions: tracks in-flight commands, ends sessions without blocking the event loop, and
kills the transactions of dead workers.

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
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from ostinato.jobs.logs import get_log

T = TypeVar("T")

CLOSE_TIMEOUT_S: Final = 1.0

Session = AsyncIOMotorClientSession

log = get_log(__name__)


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
        """Await a command of a session; it runs to completion if the caller is canceled."""
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
        """Return whether a caller was canceled while it waited for the database."""
        return id(session) in self._abandoned

    async def kill_transactions(self, worker_id: str) -> int:
        """Abort all open transactions of a dead worker; returns their number.

        The documents written in such a transaction stay locked until the server's
        `transactionLifetimeLimitSeconds` (60 s by default); this releases them immediately.
        Requires the privileges `inprog` and `killAnySession`.
        """
        try:
            sessions = await self._find_open_transactions(worker_id)
            if sessions:
                await self._client.admin.command({"killAllSessionsByPattern": sessions})
            return len(sessions)
        except OperationFailure as error:
            # Without the privileges, the locks remain until the server's time limit.
            log.warning("transactions.not_killed", worker_id=worker_id, error=str(error))
            return 0

    async def _find_open_transactions(self, worker_id: str) -> list[dict[str, Any]]:
        admin = self._client.get_database("admin", read_concern=ReadConcern("local"))
        app_name = worker_app_name(worker_id)
        cursor = admin.aggregate(
            [
                {"$currentOp": {"allUsers": True, "idleSessions": True}},
                {"$match": {"appName": app_name, "transaction": {"$exists": True}}},
                {"$project": {"lsid": 1}},
            ]
        )
        return [{"lsid": found["lsid"]} for found in await cursor.to_list(None)]

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


def worker_app_name(worker_id: str) -> str:
    """Return the app name of a worker's connections, which identifies them in `$currentOp`."""
    return f"ostinato-{worker_id}"
