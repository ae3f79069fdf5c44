"""Use cases of crons: read, register, pause, resume, delete, preview."""

from datetime import datetime

from ostinato.jobs import schedules
from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.functions import crons as functions
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.malformed import report
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.queue_warnings import SchedulingWarning, WarningCode
from ostinato.jobs.records import Cron, Schedule
from ostinato.resolvers.context import RequestContext, not_found
from ostinato.resolvers.functions import (
    pause_warnings,
    require_callable_function,
    require_roles_of,
)

DEFAULT_RUNS = 5
MAX_RUNS = 100


async def cron(ctx: RequestContext, cron_id: str) -> Cron:
    """Read a cron; raises NotFound."""
    return await ctx.find(Cron, cron_id)


async def cron_named(ctx: RequestContext, name: str) -> Cron:
    """Read the viewer's own cron with this name; raises NotFound."""
    found = await ctx.engine.reads.find_one(Cron, ctx.viewer.id, name=name)
    if found is None:
        raise not_found(Cron)
    return found


async def crons(
    ctx: RequestContext, window: Window, enabled: bool | None, function_name: str | None
) -> Page[Cron]:
    """Read a page of the viewer's crons, newest first."""
    given = {"enabled": enabled, "functionName": function_name}
    fields = {name: value for name, value in given.items() if value is not None}
    return await ctx.engine.reads.find_page(Cron, ctx.scope, window, **fields)


async def register_cron(ctx: RequestContext, new: NewCron) -> Cron:
    """Register a cron of the viewer.

    Raises BadRequest, Forbidden if the function is not callable, OwnerSuspended, Conflict if the
    name exists.
    """
    require_callable_function(ctx, new.function_name)
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.viewer.id,
        lambda context: functions.register_cron(context, new),
    )


async def pause_cron(ctx: RequestContext, cron_id: str) -> Cron:
    """Pause a cron until it is resumed; raises NotFound."""
    return await ctx.transact_as_owner(
        Cron, cron_id, lambda context: functions.pause_cron(context, cron_id=cron_id)
    )


async def resume_cron(ctx: RequestContext, cron_id: str) -> Cron:
    """Resume a cron from the current time; raises NotFound.

    Raises Forbidden if the viewer has lost the function's role, OwnerSuspended if its owner is
    suspended, and PreconditionFailed if its owner has lost the role, or if the cron has ended.
    """
    found = await cron(ctx, cron_id)
    require_roles_of(ctx, found.function_name)
    return await ctx.engine.transact(
        found.owner, lambda context: functions.resume_cron(context, cron_id=cron_id)
    )


async def delete_cron(ctx: RequestContext, cron_id: str) -> str:
    """Delete a cron, even a malformed one, and return its id; its jobs remain. Raises NotFound."""
    await ctx.engine.transact(
        ctx.scope, lambda context: functions.delete_cron(context, cron_id=cron_id)
    )
    return cron_id


async def next_runs(ctx: RequestContext, record: Cron, count: int) -> list[datetime]:
    """Return a cron's next ticks; empty if its stored schedule is malformed.

    Raises BadRequest for a count outside 1 to 100.
    """
    if not 1 <= count <= MAX_RUNS:
        message = f"count must be 1 to {MAX_RUNS}, got {count}"
        raise BadRequest.at("count", message=message, code="out_of_range")
    now = await ctx.now()
    try:
        runs = await run_in_cpu_thread(ctx.viewer.id, lambda: _next_runs(record, now, count))
    except Exception as error:  # a malformed schedule can raise anything
        report("crons", record.id, error)
        return []
    return [run for run in runs if record.end_at is None or run < record.end_at]


def _next_runs(record: Cron, now: datetime, count: int) -> list[datetime]:
    first = (
        record.next_run_time
        if record.enabled
        else schedules.first_run(record.schedule, now, record.start_at)
    )
    return [first, *schedules.next_runs(record.schedule, first, count - 1)]


def warnings_of(ctx: RequestContext, record: Cron) -> list[SchedulingWarning]:
    """Return why a cron's ticks create no job: Ostinato paused it, or its function is unknown."""
    if ctx.engine.registry.get(record.function_name) is not None:
        return pause_warnings(ctx, record)
    message = (
        f"there is no function {record.function_name!r}: each tick adds a failure instead of a job "
        "until the function exists again (OSTINATO_FUNCTIONS names its module); or delete the cron"
    )
    unknown = SchedulingWarning(code=WarningCode.UNKNOWN_FUNCTION, message=message)
    return [unknown, *pause_warnings(ctx, record)]


async def preview_cron(ctx: RequestContext, schedule: Schedule, count: int) -> list[datetime]:
    """Return the next ticks of a schedule that starts now."""
    ctx.require_viewer()
    now = await ctx.now()
    return await run_in_cpu_thread(ctx.viewer.id, lambda: schedules.next_runs(schedule, now, count))
