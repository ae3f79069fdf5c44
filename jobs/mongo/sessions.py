"""Sessions that are used by one command at a time, and end without holding up the event loop.

The driver runs a command in a thread, which goes on when its caller is cancelled; its session is
not for two threads. To leave a session in the middle of a transaction, the driver aborts it on
the caller's thread, and looks for a server for seconds if there is none.
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
        self._unanswered: dict[int, asyncio.Future[Any]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Session]:
        """Open a session; what is left of its transaction is aborted behind the caller's back."""
        session = await self._client.start_session()
        try:
            yield session
        finally:
            ending = asyncio.create_task(self._end(session), name="end-session")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def answered(self, session: Session, command: Awaitable[T]) -> T:
        """Await what uses a session; it is seen through if the caller is cancelled."""
        answer = asyncio.ensure_future(command)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if not answer.done():
                self._unanswered[id(session)] = answer
            raise

    def is_busy(self, session: Session) -> bool:
        """Tell whether a caller went away while the database had not answered."""
        return id(session) in self._unanswered

    async def close(self) -> None:
        """Let the last sessions end, for a second."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=LAST_ANSWER_S)

    async def _end(self, session: Session) -> None:
        unanswered = self._unanswered.get(id(session))
        if unanswered is not None:
            await asyncio.gather(unanswered, return_exceptions=True)
            del self._unanswered[id(session)]
        await session.end_session()
