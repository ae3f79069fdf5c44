"""Use cases of crons: read, register, pause, resume, delete, preview.

Each change runs on behalf of the cron's owner. That is the viewer for `register_cron`. `pause_cron`
reads the owner from the cron, as does `resume_cron`, which needs the cron's function as well.
`delete_cron` runs in the viewer's scope, because the owner of a malformed cron may be unreadable.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice

from ostinato.jobs import schedules
from ostinato.jobs.async_tools.cpu_thread import collect_in_cpu_thread, run_in_cpu_thread
from ostinato.jobs.cronspec import cronspec_problem
from ostinato.jobs.errors import PayloadTooLarge, require_range
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
MAX_TICK_S = 0.5  # of processor time, for all ticks of an operation: a rare date takes 5 ms


async def cron(ctx: RequestContext, cron_id: str) -> Cron:
    """Read a cron; raises NotFound."""
    return await ctx.find(Cron, cron_id)


async def cron_named(ctx: RequestContext, name: str) -> Cron:
    """Read the viewer's own cron with this name; raises NotFound."""
    found = await ctx.engine.reads.find_one(Cron, None, name=name, owner=ctx.owner)
    if found is None:
        raise not_found(Cron)
    return found


async def crons(
    ctx: RequestContext, window: Window, enabled: bool | None, function_name: str | None
) -> Page[Cron]:
    """Read a page of the viewer's crons, newest first."""
    given = {"enabled": enabled, "functionName": function_name}
    fields = {name: value for name, value in given.items() if value is not None}
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(Cron, ctx.scope, window, **fields)


async def register_cron(ctx: RequestContext, new: NewCron) -> Cron:
    """Register a cron of the viewer.

    Raises BadRequest, Forbidden if the function is not callable, OwnerSuspended, Conflict if the
    name exists.
    """
    require_callable_function(ctx, new.function_name)
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner,
        lambda context: functions.register_cron(context, new),
    )


async def pause_cron(
    ctx: RequestContext, cron_id: str, expected_version: int | None = None
) -> Cron:
    """Pause a cron until it is resumed; raises NotFound and VersionConflict."""
    return await ctx.transact_as_owner(
        Cron, cron_id, lambda context: functions.pause_cron(context, cron_id, expected_version)
    )


async def resume_cron(
    ctx: RequestContext, cron_id: str, expected_version: int | None = None
) -> Cron:
    """Resume a cron from the current time; raises NotFound and VersionConflict.

    Raises Forbidden if the viewer has lost the function's role, OwnerSuspended if its owner is
    suspended, and PreconditionFailed if its owner has lost the role, or if the cron has ended.
    """
    found = await cron(ctx, cron_id)
    require_roles_of(ctx, found.function_name)
    return await ctx.engine.transact(
        found.owner,
        lambda context: functions.resume_cron(context, cron_id, expected_version=expected_version),
    )


async def delete_cron(
    ctx: RequestContext, cron_id: str, expected_version: int | None = None
) -> str:
    """Delete a cron, even a malformed one, and return its id; its jobs remain.

    Raises NotFound and VersionConflict.
    """
    await ctx.engine.transact(
        ctx.scope, lambda context: functions.delete_cron(context, cron_id, expected_version)
    )
    return cron_id


async def next_runs(ctx: RequestContext, record: Cron, count: int) -> list[datetime]:
    """Return a cron's next ticks; empty if its stored schedule is malformed.

    Raises BadRequest for a count outside 1 to 100, and PayloadTooLarge for too many rare dates.
    """
    require_range("count", count, 1, MAX_RUNS)
    now = await ctx.now()
    try:
        runs = await _compute(ctx, _ticks_of(record, now), count)
    except PayloadTooLarge:
        raise
    except Exception as error:  # a malformed schedule can raise anything
        report("crons", record.id, error)
        return []
    return [run for run in runs if record.end_at is None or run < record.end_at]


def _ticks_of(record: Cron, now: datetime) -> Iterator[datetime]:
    first = (
        record.next_run_time
        if record.enabled
        else schedules.first_run(record.schedule, now, record.start_at)
    )
    yield first
    yield from schedules.ticks(record.schedule, first)


async def _compute(ctx: RequestContext, ticks: Iterator[datetime], count: int) -> list[datetime]:
    """Compute the first `count` ticks; raises PayloadTooLarge for too many rare dates."""
    return await collect_in_cpu_thread(ctx.viewer.id, islice(_limited(ctx, ticks), count))


def _limited(ctx: RequestContext, ticks: Iterator[datetime]) -> Iterator[datetime]:
    """Yield ticks, and add the time that they take; raises PayloadTooLarge after MAX_TICK_S."""
    while True:
        if ctx.tick_seconds > MAX_TICK_S:
            raise PayloadTooLarge(
                f"the ticks of the operation take more than {MAX_TICK_S:g} s to compute, because "
                "some of them are rare: request fewer ticks, or those of fewer crons"
            )
        started = time.thread_time()
        tick = next(ticks)
        ctx.tick_seconds += time.thread_time() - started
        yield tick


async def check_cronspec(ctx: RequestContext, cronspec: str | None) -> None:
    """Find the problem of a cronspec in the thread, so that the validation has it in its cache.

    It takes up to 30 ms if the date does not exist.
    """
    user = ctx.viewer.id
    if cronspec is not None:
        await run_in_cpu_thread(user, partial(cronspec_problem, cronspec))


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
    """Return the next ticks of a schedule that starts now; raises PayloadTooLarge."""
    ctx.require_viewer()
    now = await ctx.now()
    return await _compute(ctx, schedules.ticks(schedule, now), count)
