"""Use cases of crons: read, register, pause, resume, delete, preview.

Each change runs on behalf of the cron's owner. That is the viewer for `register_cron`. `pause_cron`
reads the owner from the cron, as does `resume_cron`, which needs the cron's function as well.
`delete_cron` runs in the viewer's scope, because the owner of a malformed cron may be unreadable.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from ostinato.jobs import schedules
from ostinato.jobs.async_tools.cpu_thread import collect_in_cpu_thread
from ostinato.jobs.cronspec import MAX_YEARS, cronspec_problem
from ostinato.jobs.errors import PayloadTooLarge, require_range
from ostinato.jobs.functions import crons as functions
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.malformed import report
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.planned_ticks import PlannedTick, planned_from, planned_ticks, running_ticks
from ostinato.jobs.queue_warnings import SchedulingWarning, WarningCode
from ostinato.jobs.records import Cron, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import NO_EXCLUSIONS, ExcludedDays, Exclusions
from ostinato.resolvers.calendars import excluded_days, require_calendar
from ostinato.resolvers.context import RequestContext, not_found
from ostinato.resolvers.functions import (
    pause_warnings,
    require_callable_function,
    require_roles_of,
)

T = TypeVar("T")

DEFAULT_RUNS = 5
MAX_RUNS = 100
MAX_PREVIEW = 1_000
MAX_TICK_S = 0.5  # of processor time, for all ticks of an operation: a rare date takes 0.2 ms


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

    Raises BadRequest, Forbidden if the function is not callable, OwnerSuspended,
    QuotaExceeded, and Conflict if the name exists.
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
    """Return when a cron runs next; empty if its stored schedule is malformed.

    Raises BadRequest for a count outside 1 to 100, and PayloadTooLarge for too many rare dates.
    """
    require_range("count", count, 1, MAX_RUNS)
    excluded = await excluded_days(ctx, record.exclusions)
    runs = _runs_from(record, await _first_tick(ctx, record), excluded)
    found = await _compute_of(ctx, record, runs, count)
    return [run for run in found if record.end_at is None or run < record.end_at]


async def next_run_time(ctx: RequestContext, record: Cron) -> datetime:
    """Return a cron's stored next tick, or the first one after it whose day is not excluded."""
    if record.exclusions.calendar is None:  # the stored tick is on no other excluded day
        return record.next_run_time
    excluded = await excluded_days(ctx, record.exclusions)
    runs = _runs_from(record, record.next_run_time, excluded)
    return next(iter(await _compute_of(ctx, record, runs, 1)), record.next_run_time)


async def next_ticks(ctx: RequestContext, record: Cron, count: int) -> list[PlannedTick]:
    """Return a cron's next ticks, also those that do not run; see `next_runs`."""
    require_range("count", count, 1, MAX_RUNS)
    excluded = await excluded_days(ctx, record.exclusions)
    excluded = excluded.with_skipped(record.skipped_times)
    after = _before_next_tick(record, await ctx.now())
    found = await _compute_of(ctx, record, planned_ticks(record.schedule, after, excluded), count)
    return [tick for tick in found if record.end_at is None or tick.due < record.end_at]


def _before_next_tick(record: Cron, now: datetime) -> datetime:
    """Return a time after which the next tick is, also if it is excluded or overdue."""
    step, start = timedelta(milliseconds=1), record.start_at
    if isinstance(record.schedule, IntervalSchedule):
        step = timedelta(milliseconds=record.schedule.ms)
        if record.enabled:  # in phase with its next run
            return record.next_run_time - max((record.next_run_time - now) // step + 1, 1) * step
    elif record.enabled:
        now = min(now, record.next_run_time - step)
    return now if start is None else max(now, start - step)


async def _first_tick(ctx: RequestContext, record: Cron) -> datetime:
    if record.enabled:
        return record.next_run_time
    try:
        return schedules.first_run(record.schedule, await ctx.now(), record.start_at)
    except Exception:  # a malformed schedule can raise anything, and is reported later
        return record.next_run_time


def _runs_from(record: Cron, first: datetime, excluded: ExcludedDays) -> Iterator[datetime]:
    excluded = excluded.with_skipped(record.skipped_times)
    tick = next(planned_from(record.schedule, first, excluded))
    if tick.runs and first not in excluded.skipped_times:
        yield first
    yield from running_ticks(record.schedule, first, excluded)


async def _compute_of(ctx: RequestContext, record: Cron, ticks: Iterator[T], count: int) -> list[T]:
    """Compute ticks of a stored cron: none if its schedule is malformed."""
    try:
        return await _compute(ctx, ticks, count)
    except PayloadTooLarge:
        raise
    except Exception as error:  # a malformed schedule can raise anything
        report("crons", record.id, error)
        return []


async def _compute(ctx: RequestContext, ticks: Iterator[T], count: int) -> list[T]:
    """Compute the first `count` ticks; raises PayloadTooLarge for too many rare dates."""
    return await collect_in_cpu_thread(ctx.viewer.id, islice(_limited(ctx, ticks), count))


def _limited(ctx: RequestContext, ticks: Iterator[T]) -> Iterator[T]:
    """Yield ticks, and add the time that they take; raises PayloadTooLarge after MAX_TICK_S."""
    while True:
        if ctx.tick_seconds > MAX_TICK_S:
            raise PayloadTooLarge(
                f"the ticks of the operation take more than {MAX_TICK_S:g} s to compute, because "
                "some of them are rare: request fewer ticks, or those of fewer crons"
            )
        started = time.thread_time()
        try:
            found = [*islice(ticks, 1)]
        finally:
            ctx.tick_seconds += time.thread_time() - started
        if not found:
            return
        yield found[0]


async def check_cronspec(ctx: RequestContext, *cronspecs: str | None) -> None:
    """Find the problems of cronspecs in the thread, so that the validation has them in its cache.

    Each takes up to 30 ms if the date does not exist.
    """
    given = [each for each in cronspecs if each is not None]
    if given:
        await collect_in_cpu_thread(ctx.viewer.id, map(cronspec_problem, given))


async def warnings_of(ctx: RequestContext, record: Cron) -> list[SchedulingWarning]:
    """Return why a cron's ticks create no job: Ostinato paused it, or its function is unknown.

    Also returns a warning if its calendar is unknown, because its ticks run on all days then, or if
    its exclusions leave no day.
    """
    found = await _calendar_warnings(ctx, record) or await _never_runs_warnings(ctx, record)
    if ctx.engine.registry.get(record.function_name) is not None:
        return [*pause_warnings(ctx, record), *found]
    message = (
        f"there is no function {record.function_name!r}: each tick adds a failure instead of a job "
        "until the function exists again (OSTINATO_FUNCTIONS names its module); or delete the cron"
    )
    unknown = SchedulingWarning(code=WarningCode.UNKNOWN_FUNCTION, message=message)
    return [unknown, *pause_warnings(ctx, record), *found]


async def _calendar_warnings(ctx: RequestContext, record: Cron) -> list[SchedulingWarning]:
    name = record.exclusions.calendar
    if name is None or await ctx.loaders.calendars.load(name) is not None:
        return []
    message = (
        f"there is no calendar {name!r}: the cron runs on its days, too, until an admin creates it "
        "with createCalendar; or delete the cron"
    )
    return [SchedulingWarning(code=WarningCode.UNKNOWN_CALENDAR, message=message)]


async def _never_runs_warnings(ctx: RequestContext, record: Cron) -> list[SchedulingWarning]:
    excluded = await excluded_days(ctx, record.exclusions)
    if not excluded:
        return []
    runs = _runs_from(record, await _first_tick(ctx, record), excluded)
    if await _compute_of(ctx, record, runs, 1):
        return []
    message = (
        f"its exclusions and its calendar leave no day in {MAX_YEARS} years: change them, or pause "
        "the cron"
    )
    return [SchedulingWarning(code=WarningCode.NEVER_RUNS, message=message)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A schedule whose ticks a client wants to see."""

    schedule: Schedule
    exclusions: Exclusions = NO_EXCLUSIONS
    count: int = DEFAULT_RUNS
    from_at: datetime | None = None
    """Ticks at this time or later; None for those later than now."""


async def preview_cron(ctx: RequestContext, preview: Preview) -> list[datetime]:
    """Return when a schedule would run; raises BadRequest, PayloadTooLarge."""
    after, excluded = await _prepare(ctx, preview)
    return await _compute(ctx, running_ticks(preview.schedule, after, excluded), preview.count)


async def preview_ticks(ctx: RequestContext, preview: Preview) -> list[PlannedTick]:
    """Return the ticks of a schedule, also those that do not run; see `preview_cron`."""
    after, excluded = await _prepare(ctx, preview)
    return await _compute(ctx, planned_ticks(preview.schedule, after, excluded), preview.count)


async def _prepare(ctx: RequestContext, preview: Preview) -> tuple[datetime, ExcludedDays]:
    """Return the time after which the ticks are, and the excluded days."""
    ctx.require_viewer()
    await require_calendar(ctx, preview.exclusions)
    excluded = await excluded_days(ctx, preview.exclusions)
    if preview.from_at is None:
        return await ctx.now(), excluded
    if isinstance(preview.schedule, IntervalSchedule):  # its first tick is then at `from_at`
        return preview.from_at - timedelta(milliseconds=preview.schedule.ms), excluded
    return preview.from_at - timedelta(milliseconds=1), excluded
