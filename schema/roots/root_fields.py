"""What the root fields share: they validate arguments, run use cases, find selected fields and read
the object of an id."""

from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, TypeVar, cast

import strawberry
from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from ostinato.jobs import alerts, bulk_actions, cron_ledger, records
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.resolvers.audit import MutationCall, run_audited
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.functions import call_issues
from ostinato.schema.fields import Info
from ostinato.schema.ids import parse_global_id
from ostinato.schema.inputs.validation import (
    HasCall,
    SummarizedInput,
    bad_request,
    validate_input,
)
from ostinato.schema.types.alert import Alert
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.bulk_action import BulkAction
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.cron_tick import CronTick
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job
from ostinato.schema.types.record_proxy import Node, NodeProxy
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

T = TypeVar("T")
R = TypeVar("R")

INPUT: Final = "input"

IdArgument = Annotated[
    strawberry.ID, strawberry.argument(name="id", description="The object's id.")
]


NODE_TYPES: Final[dict[str, tuple[type[Any], type[NodeProxy[Any]]]]] = {
    "Job": (records.Job, Job),
    "Cron": (records.Cron, Cron),
    "CronTick": (cron_ledger.CronTick, CronTick),
    "RecurringTask": (records.RecurringTask, RecurringTask),
    "Batch": (records.Batch, Batch),
    "Request": (records.Request, Request),
    "Failure": (records.Failure, Failure),
    "Alert": (alerts.Alert, Alert),
    "BulkAction": (bulk_actions.BulkAction, BulkAction),
}


def validate_argument(info: Info, given: T, name: str) -> T:
    """Validate an input argument; raises Unauthorized or BadRequest."""
    info.context.require_viewer()
    return validate_input(given, name)


async def run_use_case(
    info: Info,
    given: T,
    use_case: Callable[[RequestContext, T], Awaitable[R]],
    **options: object,
) -> R:
    """Validate the argument `input`, run the use case with it, and record the call.

    `options` are the other arguments of the field, for the record. Issues from the use case get
    the path of the input, like issues from validation, unless they are about an option. The issues
    of a function's arguments are reported with those of the other fields.
    """

    async def run() -> R:
        try:
            data = validate_argument(info, given, INPUT)
        except BadRequest as error:
            raise _with_call_issues(info.context, given, error) from None
        with issues_below(INPUT, options):
            return await use_case(info.context, data)

    recorded = given.recorded() if isinstance(given, SummarizedInput) else given
    return await run_audited(info.context, MutationCall(info.field_name, recorded, options), run)


def _with_call_issues(ctx: RequestContext, given: object, error: BadRequest) -> BadRequest:
    """Add the issues of the function to call and its arguments, unless they have some already."""
    call = given.call if isinstance(given, HasCall) else None
    fields = {step for issue in error.issues for step in issue.path[1:2]}
    if call is None or not fields.isdisjoint({"functionName", "args"}):
        return error
    found = bad_request(call_issues(ctx, *call), INPUT)
    return bad_request([*error.issues, *found.issues])


@contextmanager
def issues_below(name: str, others: Container[str | int] = ()) -> Iterator[None]:
    """Add the name of an argument to the paths of the issues that a use case raises; those of
    other arguments keep theirs."""
    try:
        yield
    except BadRequest as error:
        if not error.issues:
            raise
        placed = [issue for issue in error.issues if issue.path[0] in others]
        raise (bad_request(placed) if placed else bad_request(list(error.issues), name)) from error


def selects(info: Info, name: str) -> bool:
    """Return whether the current field selects the field `name`, directly or in a fragment.

    Fields with `@skip` or `@include` count as selected.
    """
    return any(
        _has(selection, name) for field in info.selected_fields for selection in field.selections
    )


def _has(selection: Selection, name: str) -> bool:
    if isinstance(selection, InlineFragment | FragmentSpread):
        return any(_has(inner, name) for inner in selection.selections)
    return selection.name == name


async def find_node(ctx: RequestContext, global_id: str) -> Node:
    """Return the object with the global id.

    Raises BadRequest for an invalid id, NotFound if the viewer may not read the object.
    """
    ctx.require_viewer()
    try:
        type_name, document_id = parse_global_id(global_id)
    except ValueError as error:
        message = "id must be a global id, as returned by this API"
        raise BadRequest.at("id", message=message, code="invalid_id") from error
    if type_name not in NODE_TYPES:
        raise NotFound(f"objects of type {type_name} cannot be read by id")
    record_type, node_type = NODE_TYPES[type_name]
    return cast("Node", node_type.of(await ctx.find(record_type, document_id)))
