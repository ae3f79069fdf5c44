"""This process's copy of the revocations, which every request and connection is checked against."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from ostinato.jobs.async_tools.cancellation import cancel_and_wait
from ostinato.jobs.async_tools.supervision import keep_running
from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import Unavailable
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.revocations import Revocation, RevokedTokens
from ostinato.resolvers.auth import Viewer

POLL_S: Final = 5.0

IsRevoked: TypeAlias = Callable[[Viewer], bool]
ReadRevocations: TypeAlias = Callable[[], Awaitable[Sequence[Revocation]]]

log = get_log("ostinato.revocations")


async def read_none() -> Sequence[Revocation]:
    """Return no revocations."""
    return ()


class RevocationMonitor:
    """This process's copy of the revocations, read every POLL_S."""

    def __init__(self, read: ReadRevocations, on_read: Callable[[IsRevoked], None]) -> None:
        """`on_read` is called after each read that found revocations, to end open connections."""
        self._read = read
        self._on_read = on_read
        self._tokens = RevokedTokens()
        self._unread = RepeatedWarning(log, "revocations.unread")

    def is_revoked(self, viewer: Viewer) -> bool:
        """Return whether the viewer's token is revoked, as of the latest read."""
        return self._tokens.contains(viewer.id, viewer.token_id, viewer.issued_at)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read the revocations, and keep reading them during the block."""
        await self.refresh()
        polling = asyncio.create_task(keep_running("revocations", self._poll), name="revocations")
        try:
            yield
        finally:
            await cancel_and_wait(polling)

    async def refresh(self) -> None:
        """Read the revocations; keeps the known ones, and logs it, if MongoDB is unavailable."""
        try:
            self._tokens = RevokedTokens(await self._read())
        except Exception as error:
            if not isinstance(to_client_error(error), Unavailable):
                raise
            self._unread.write(error, fix="check MongoDB; the known revocations stay in effect")
            return
        if self._tokens:
            self._on_read(self.is_revoked)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            await self.refresh()
