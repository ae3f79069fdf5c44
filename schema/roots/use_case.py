"""What the root fields share: validating arguments, running use cases, and finding objects."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Final, TypeVar

import strawberry
from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from ostinato.jobs import records
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.resolvers.request import RequestContext
from ostinato.schema.context import Info
from ostinato.schema.ids import parse_global_id
from ostinato.schema.inputs.validation import bad_request, validate_input
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job
from ostinato.schema.types.node import Node
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

T = TypeVar("T")
R = TypeVar("R")

INPUT: Final = "input"

IdArgument = Annotated[
    strawberry.ID, strawberry.argument(name="id", description="The object's id.")
]


def validate_argument(info: Info, given: T, name: str) -> T:
    """Validate an input argument; raises Unauthorized or BadRequest."""
    info.context.require_viewer()
    return validate_input(given, name)


async def run_use_case(
    info: Info, given: T, use_case: Callable[[RequestContext, T], Awaitable[R]]
) -> R:
    """Validate the argument `input` and run the use case with it.

    Issues that the use case raises get the path of the input, like those of the validation.
    """
    data = validate_argument(info, given, INPUT)
    try:
        return await use_case(info.context, data)
    except BadRequest as error:
        if not error.issues:
            raise
        raise bad_request(list(error.issues), INPUT) from error


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


def selects(info: Info, name: str) -> bool:
    """Return whether the current field's selection contains the field, also in fragments.

    Fields with `@skip` or `@include` count as selected.
    """
    return any(
        _has(selection, name) for field in info.selected_fields for selection in field.selections
    )


def _has(selection: Selection, name: str) -> bool:
    if isinstance(selection, InlineFragment | FragmentSpread):
        return any(_has(inner, name) for inner in selection.selections)
    return selection.name == name


M = TypeVar("M")
C = TypeVar("C")


async def amap(items: AsyncIterator[M], function: Callable[[M], C]) -> AsyncIterator[C]:
    """Apply `function` to each item; closing the result closes `items`."""
    try:
        async for item in items:
            yield function(item)
    finally:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()
