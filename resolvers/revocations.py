"""Revocations of tokens: the use cases of admins."""

from datetime import UTC, datetime, timedelta
from typing import Final

from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.revocations import Revocation
from ostinato.resolvers.admin import require_admin
from ostinato.resolvers.context import RequestContext

MAX_CLOCK_SKEW: Final = timedelta(minutes=5)  # of the server that issues tokens
MANAGE: Final = "see, add and delete revocations of tokens"


async def token_revocations(ctx: RequestContext, window: Window) -> Page[Revocation]:
    """Read a page of the revocations, newest first."""
    require_admin(ctx, MANAGE)
    return await ctx.engine.revocations.find_page(window)


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
