"""Use cases of recurring tasks: read, start, change, stop, delete."""

from dataclasses import dataclass
from typing import NamedTuple

from ostinato.jobs.errors import BadRequest, Malformed, NotFound
from ostinato.jobs.functions import tasks as functions
from ostinato.jobs.functions.task_changes import TaskPatch, update_task
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import JsonObject, RecurringTask
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.functions import require_callable_function, require_roles_of


class TaskIds(NamedTuple):
    """The ids of a task, of which one is given."""

    task_id: str | None
    """The client's own id."""
    recurring_task_id: str | None = None
    """That of its document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A recurring task to start."""

    task_id: str
    interval_ms: int
    function_name: str
    args: JsonObject


async def recurring_task(ctx: RequestContext, task_id: str) -> RecurringTask:
    """Read the viewer's own task with this id; raises NotFound."""
    found = await ctx.engine.reads.find_one(RecurringTask, None, taskId=task_id, owner=ctx.owner)
    if found is None:
        raise NotFound("you have no recurring task with this taskId")
    return found


async def recurring_tasks(ctx: RequestContext, window: Window) -> Page[RecurringTask]:
    """Read a page of the viewer's recurring tasks, newest first."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(RecurringTask, ctx.scope, window)


async def start_recurring_task(ctx: RequestContext, new: NewTask) -> RecurringTask:
    """Start a recurring task of the viewer, or update the running one.

    Raises BadRequest, OwnerSuspended, or Forbidden if the viewer cannot use the function.
    """
    require_callable_function(ctx, new.function_name)
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner,
        lambda context: functions.start_task(
            context,
            task_id=new.task_id,
            interval_ms=new.interval_ms,
            function_name=new.function_name,
            args=new.args,
        ),
    )


async def update_recurring_task(
    ctx: RequestContext,
    ids: TaskIds,
    patch: TaskPatch,
    expected_version: int | None,
) -> RecurringTask:
    """Change a task, found as by `stop_recurring_task`; its runs keep their arguments.

    Raises BadRequest, NotFound, VersionConflict, QuotaExceeded, OwnerSuspended, Forbidden if the
    viewer cannot use the new function, and PreconditionFailed if the owner has lost its role.
    """
    found = await _find(ctx, ids)
    if patch.function_name not in (None, found.function_name):
        require_callable_function(ctx, patch.function_name)
    require_roles_of(ctx, found.function_name)
    return await ctx.engine.transact(
        found.owner, lambda context: update_task(context, found.id, patch, expected_version)
    )


async def _find(ctx: RequestContext, ids: TaskIds) -> RecurringTask:
    _require_one_id(*ids)
    if ids.task_id is not None:
        return await recurring_task(ctx, ids.task_id)
    return await ctx.find(RecurringTask, ids.recurring_task_id or "")


async def stop_recurring_task(
    ctx: RequestContext, task_id: str | None, recurring_task_id: str | None
) -> RecurringTask | Malformed:
    """Stop a task, even a malformed one: the viewer's own with this `taskId`, or one that the
    viewer can see by its document's id. Raises BadRequest unless exactly one is given, NotFound.
    """
    _require_one_id(task_id, recurring_task_id)
    return await ctx.engine.transact(
        ctx.scope if task_id is None else ctx.owner,
        lambda context: functions.stop_task(context, task_id, recurring_task_id),
    )


async def delete_recurring_task(
    ctx: RequestContext, task_id: str | None, recurring_task_id: str | None
) -> RecurringTask | Malformed:
    """Delete a stopped task and return it; finds it and raises like `stop_recurring_task`, and
    PreconditionFailed if it is running.
    """
    _require_one_id(task_id, recurring_task_id)
    return await ctx.engine.transact(
        ctx.scope if task_id is None else ctx.owner,
        lambda context: functions.delete_task(context, task_id, recurring_task_id),
    )


def _require_one_id(task_id: str | None, recurring_task_id: str | None) -> None:
    if (task_id is None) == (recurring_task_id is None):
        message = "send exactly one of taskId and recurringTaskId"
        raise BadRequest.at("taskId", message=message, code="exclusive")
