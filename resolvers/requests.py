"""Use cases of requests: read, and create with a timeout."""

from ostinato.jobs.functions import requests as functions
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Json, Request
from ostinato.resolvers.context import RequestContext


async def request(ctx: RequestContext, request_id: str) -> Request:
    """Read a request; raises NotFound."""
    return await ctx.find(Request, request_id)


async def requests(ctx: RequestContext, window: Window) -> Page[Request]:
    """Read a page of the viewer's requests, newest first."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(Request, ctx.scope, window)


async def create_with_timeout(ctx: RequestContext, data: Json, timeout_ms: int) -> Request:
    """Create a request of the viewer, with its processing and timeout jobs.

    Raises BadRequest, QuotaExceeded and OwnerSuspended.
    """
    await ctx.require_active()
    with ctx.engine.quotas.reserve(ctx.owner) as reservation:
        await reservation.add_documents([functions.sample_request(ctx.owner, data)], jobs=2)
        return await ctx.engine.transact(
            ctx.owner,
            lambda context: functions.create_with_timeout(
                context, data=data, timeout_ms=timeout_ms
            ),
        )


async def delete_request(ctx: RequestContext, request_id: str) -> Request:
    """Delete an ended request and return it.

    Raises NotFound, or PreconditionFailed if it is pending.
    """
    return await ctx.transact_as_owner(
        Request, request_id, lambda context: functions.delete_request(context, request_id)
    )
