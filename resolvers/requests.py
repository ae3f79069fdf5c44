"""Use cases of requests: read, create with a timeout, answer, extend, cancel and delete."""

from collections.abc import Collection
from datetime import datetime

from ostinato.jobs.functions import answers
from ostinato.jobs.functions import requests as functions
from ostinato.jobs.functions.answers import Answer
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Json, Request, RequestState
from ostinato.resolvers.context import RequestContext, in_states


async def request(ctx: RequestContext, request_id: str) -> Request:
    """Read a request; raises NotFound."""
    return await ctx.find(Request, request_id)


async def requests(
    ctx: RequestContext, window: Window, states: Collection[RequestState] | None = None
) -> Page[Request]:
    """Read a page of the viewer's requests, newest first; of some states, if given."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(Request, ctx.scope, window, **in_states(states))


async def create_with_timeout(
    ctx: RequestContext, data: Json, timeout_ms: int, *, run_handler: bool = True
) -> Request:
    """Create a request of the viewer, with its processing and timeout jobs.

    Without `run_handler`, it waits for an answer.

    Raises BadRequest, QuotaExceeded and OwnerSuspended.
    """
    await ctx.require_active()
    with ctx.engine.quotas.reserve(ctx.owner) as reservation:
        sample = functions.sample_request(ctx.owner, data)
        await reservation.add_documents([sample], jobs=1 + run_handler)
        return await ctx.engine.transact(
            ctx.owner,
            lambda context: functions.create_with_timeout(
                context, data=data, timeout_ms=timeout_ms, run_handler=run_handler
            ),
        )


async def delete_request(ctx: RequestContext, request_id: str) -> Request:
    """Delete an ended request and return it.

    Raises NotFound, or PreconditionFailed if it is pending.
    """
    return await ctx.transact_as_owner(
        Request, request_id, lambda context: functions.delete_request(context, request_id)
    )


async def complete_request(ctx: RequestContext, request_id: str, result: Json) -> Request:
    """Complete a request with a result; after its timeout, keep the result as the late answer.

    Raises NotFound, and PreconditionFailed if it has ended otherwise, or has a late answer.
    """
    return await _answer(ctx, request_id, Answer(result=result, by=ctx.owner))


async def reject_request(ctx: RequestContext, request_id: str, error: str) -> Request:
    """Fail a request with an error; raises like `complete_request`, and BadRequest."""
    return await _answer(ctx, request_id, Answer.rejection(error, ctx.owner))


async def extend_request(
    ctx: RequestContext, request_id: str, timeout_ms: int | None, until: datetime | None
) -> Request:
    """Set the timeout of a pending request; raises BadRequest, NotFound and PreconditionFailed."""
    return await ctx.transact_as_owner(
        Request,
        request_id,
        lambda context: answers.extend_request(context, request_id, timeout_ms, until),
    )


async def cancel_request(ctx: RequestContext, request_id: str) -> Request:
    """Cancel a pending request with its handler; raises NotFound and PreconditionFailed."""
    return await ctx.transact_as_owner(
        Request,
        request_id,
        lambda context: answers.cancel_request(context, request_id, ctx.owner),
    )


async def _answer(ctx: RequestContext, request_id: str, given: Answer) -> Request:
    return await ctx.transact_as_owner(
        Request, request_id, lambda context: answers.answer_request(context, request_id, given)
    )
