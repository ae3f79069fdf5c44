"""Revocations of tokens: the use cases of admins, and the copy that each process checks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from ostinato.jobs.async_tools.cancellation import cancel_and_wait
from ostinato.jobs.async_tools.supervision import keep_running
from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import BadRequest, NotFound, Unavailable
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.revocations import Revocation, RevokedTokens
from ostinato.resolvers.admin import require_admin
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext

POLL_S: Final = 5.0
MAX_LISTED: Final = 1_000
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)  # of the server that issues tokens
MANAGE: Final = "see, add and delete revocations of tokens"

IsRevoked: TypeAlias = Callable[[Viewer], bool]
ReadRevocations: TypeAlias = Callable[[], Awaitable[Sequence[Revocation]]]

log = get_log("ostinato.revocations")


async def token_revocations(ctx: RequestContext) -> list[Revocation]:
    """Read the newest revocations, newest first."""
    require_admin(ctx, MANAGE)
    return await ctx.engine.revocations.find_all(MAX_LISTED)


async def revoke_token(ctx: RequestContext, token_id: str) -> Revocation:
    """Revoke one token by its `jti`."""
    require_admin(ctx, MANAGE)
    return await ctx.engine.revocations.revoke_token(token_id, ctx.viewer.id)


async def revoke_tokens(ctx: RequestContext, subject: str, before: datetime | None) -> Revocation:
    """Revoke a user's tokens that were issued before an instant, by default now."""
    require_admin(ctx, MANAGE)
    now = datetime.now(UTC)
    if before is not None and before > now + MAX_CLOCK_SKEW:
        message = (
            f"before must be at most 5 minutes in the future, got {before.isoformat()}: to reject "
            "new work of a user, call suspendOwner"
        )
        raise BadRequest.at("before", message=message, code="out_of_range")
    return await ctx.engine.revocations.revoke_tokens(subject, before or now, ctx.viewer.id)


async def delete_revocation(ctx: RequestContext, revocation_id: str) -> Revocation:
    """Delete a revocation: its tokens are accepted again. Raises NotFound."""
    require_admin(ctx, MANAGE)
    deleted = await ctx.engine.revocations.delete(revocation_id)
    if deleted is None:
        raise NotFound("there is no revocation with this id")
    return deleted


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
