"""Sessions that are used by one command at a time, and end without holding up the event loop.

The driver runs a command in a thread, which goes on when its caller is cancelled: it must come
back before its transaction is aborted, or it is written outside of any. To leave a session in the
middle of a transaction, the driver aborts it on the caller's thread, and looks for a server for
seconds if there is none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession

T = TypeVar("T")

LAST_ANSWER_S: Final = 1.0

Session = AsyncIOMotorClientSession


class Sessions:
    def __init__(self, client: "AsyncIOMotorClient[Any]") -> None:
        self._client = client
        self._under_way: dict[int, set[asyncio.Future[Any]]] = {}  # a session has no hash
        self._left: set[int] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Session]:
        """Open a session; what is left of its transaction is aborted behind the caller's back."""
        session = await self._client.start_session()
        self._under_way[id(session)] = set()
        try:
            yield session
        finally:
            ending = asyncio.create_task(self._end(session), name="end-session")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def answered(self, session: Session, command: Awaitable[T]) -> T:
        """Await what uses a session; it is seen through if the caller is cancelled."""
        answer = asyncio.ensure_future(command)
        under_way = self._under_way[id(session)]
        under_way.add(answer)
        answer.add_done_callback(under_way.discard)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            self._left.add(id(session))
            answer.add_done_callback(_passed_over)
            raise

    async def commit(self, session: Session) -> None:
        """Commit once nothing uses the session any more."""
        await self.quiet(session)
        await self.answered(session, session.commit_transaction())

    async def abort(self, session: Session) -> None:
        """Abort once nothing uses the session any more.

        What came after the abort would be written outside of any transaction.
        """
        await self.quiet(session)
        await self.answered(session, session.abort_transaction())

    async def quiet(self, session: Session) -> None:
        """Wait until every command of a session has come back."""
        while under_way := self._under_way[id(session)]:
            await asyncio.wait(under_way)

    def was_left(self, session: Session) -> bool:
        """Tell whether a caller went away while it waited for the database."""
        return id(session) in self._left

    async def close(self) -> None:
        """Let the last sessions end, for a second."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=LAST_ANSWER_S)

    async def _end(self, session: Session) -> None:
        await self.quiet(session)
        del self._under_way[id(session)]
        self._left.discard(id(session))
        await session.end_session()


def _passed_over(answer: "asyncio.Future[Any]") -> None:
    """Take note of an error that nobody waits for any more, or asyncio reports it as forgotten."""
    if not answer.cancelled():
        answer.exception()
