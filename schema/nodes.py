"""Finds an object of any type by its global id."""

from collections.abc import Awaitable, Callable
from typing import Final

from ostinato.jobs import records
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.resolvers.request import RequestContext
from ostinato.schema.ids import parse_global_id
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job
from ostinato.schema.types.node import Node
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

Lookup = Callable[[RequestContext, str], Awaitable[Node]]


async def _job(ctx: RequestContext, document_id: str) -> Node:
    return Job.of(await ctx.find(records.Job, document_id))


async def _cron(ctx: RequestContext, document_id: str) -> Node:
    return Cron.of(await ctx.find(records.Cron, document_id))


async def _recurring_task(ctx: RequestContext, document_id: str) -> Node:
    return RecurringTask.of(await ctx.find(records.RecurringTask, document_id))


async def _batch(ctx: RequestContext, document_id: str) -> Node:
    return Batch.of(await ctx.find(records.Batch, document_id))


async def _request(ctx: RequestContext, document_id: str) -> Node:
    return Request.of(await ctx.find(records.Request, document_id))


async def _failure(ctx: RequestContext, document_id: str) -> Node:
    return Failure.of(await ctx.find(records.Failure, document_id))


LOOKUPS: Final[dict[str, Lookup]] = {
    "Job": _job,
    "Cron": _cron,
    "RecurringTask": _recurring_task,
    "Batch": _batch,
    "Request": _request,
    "Failure": _failure,
}


async def find_node(ctx: RequestContext, global_id: str) -> Node:
    """Return the object with the global id.

    Raises BadRequest for an invalid id, NotFound for an object that the viewer may not read.
    """
    ctx.require_viewer()
    try:
        type_name, document_id = parse_global_id(global_id)
    except ValueError as error:
        message = "id must be an id that this API returned"
        raise BadRequest.at("id", message=message, code="invalid_id") from error
    lookup = LOOKUPS.get(type_name)
    if lookup is None:
        raise NotFound(f"objects of type {type_name} cannot be read by id")
    return await lookup(ctx, document_id)
