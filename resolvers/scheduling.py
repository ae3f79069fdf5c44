"""Use cases of jobs: read, schedule, reschedule, cancel, retry."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from ostinato.jobs.cascade import Cascade, cancel_descendants
from ostinato.jobs.context import MAX_HORIZON
from ostinato.jobs.errors import MAX_ISSUES, BadRequest, Forbidden, Issue, PreconditionFailed
from ostinato.jobs.filters import FailureFilter, JobFilter, JobOrder
from ostinato.jobs.job_logs import LogLine
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.lanes import DEFAULT_QUEUE
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.paging import ListCount, Page, Window
from ostinato.jobs.queue_warnings import SchedulingWarning
from ostinato.jobs.records import Job, JobState, JsonObject
from ostinato.jobs.registry import AnyTarget
from ostinato.jobs.transactions.job_group import ScheduledJobs, schedule_group
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.functions import (
    require_callable_function,
    require_rights_of_owner,
    require_roles_of,
    target_of,
)

T = TypeVar("T")

BUILD_BATCH_SIZE: Final = 50  # jobs, before other tasks run


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToSchedule:
    """A job to schedule; due immediately by default."""

    function_name: str
    args: JsonObject
    run_after_ms: int | None = None
    run_at: datetime | None = None
    key: str | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    timeout_ms: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDueTime:
    """When a job is to be due: exactly one of the first two."""

    run_at: datetime | None = None
    run_after_ms: int | None = None
    expected_version: int | None = None
    """The version that the job must have; None for any."""


def scope_of(ctx: RequestContext, which: JobFilter | FailureFilter) -> str | None:
    """Return the owner of the objects that a filter can match; None for all owners.

    Raises Forbidden for a filter with another owner, unless the viewer is an admin.
    """
    if which.owner is None or which.owner == ctx.scope:
        return ctx.scope
    if ctx.scope is not None:
        raise Forbidden("only admins can filter by other owners: leave out `owner`")
    return which.owner


async def job(ctx: RequestContext, job_id: str) -> Job:
    """Read a job; raises NotFound."""
    return await ctx.find(Job, job_id)


async def jobs(ctx: RequestContext, which: JobFilter, order: JobOrder, window: Window) -> Page[Job]:
    """Read a page of the viewer's jobs."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_job_page(scope_of(ctx, which), which, order, window)


async def job_tree(ctx: RequestContext, root_id: str, window: Window) -> Page[Job]:
    """Read a page of the viewer's jobs of a tree, oldest first, including internal jobs."""
    return await jobs(ctx, JobFilter(root_id=root_id, internal=None), JobOrder.OLDEST, window)


async def count_jobs(ctx: RequestContext, which: JobFilter) -> ListCount:
    """Count the viewer's matching jobs, up to a limit."""
    return await ctx.engine.reads.count_jobs(scope_of(ctx, which), which)


async def job_logs(ctx: RequestContext, job_id: str, window: Window) -> Page[LogLine]:
    """Read a page of the lines of a job, oldest first; raises NotFound."""
    found = await job(ctx, job_id)
    return await ctx.engine.reads.find_log_page(found.id, window)


async def schedule_job(ctx: RequestContext, new: JobToSchedule) -> Job:
    """Schedule a function that the viewer can use; the job belongs to the viewer.

    Raises BadRequest, Forbidden, OwnerSuspended, or Conflict if the key was used with other
    arguments.
    """
    function = require_callable_function(ctx, new.function_name)
    # Large arguments take milliseconds. Calls that wait together would bind theirs in one turn.
    args = function.bind(new.args)
    await ctx.require_active()
    scheduled = await ctx.engine.schedule(build_job(ctx, function, new, args, await ctx.now()))
    await ctx.engine.queues.warnings.report(new.queue)
    return scheduled


async def schedule_jobs(ctx: RequestContext, jobs: Sequence[JobToSchedule]) -> ScheduledJobs:
    """Schedule 1 to 1,000 jobs of the viewer in one transaction: all of them, or none.

    Raises like `schedule_job`, with the position of each wrong job in the path, and
    PayloadTooLarge and QuotaExceeded for all of them.
    """
    now = await ctx.now()

    def build(new: JobToSchedule) -> NewJob:
        function = require_callable_function(ctx, new.function_name)
        return build_job(ctx, function, new, function.bind(new.args), now)

    new_jobs = await build_jobs(jobs, build)
    await ctx.require_active()
    scheduled = await schedule_group(ctx.engine, new_jobs)
    for queue in {new.queue for new in jobs}:
        await ctx.engine.queues.warnings.report(queue)
    return scheduled


async def build_jobs(given: Sequence[T], build: Callable[[T], NewJob]) -> list[NewJob]:
    """Build a job of each of the given; raises one BadRequest with the issues of all.

    Their paths start with `jobs` and the position. Lets other tasks run: arguments take time.
    """
    new_jobs: list[NewJob] = []
    issues: list[Issue] = []
    for position, one in enumerate(given):
        try:
            new_jobs.append(build(one))
        except BadRequest as error:
            issues += [
                replace(issue, path=("jobs", position, *issue.path)) for issue in error.issues
            ]
            if not error.issues or len(issues) >= MAX_ISSUES:
                break
        if position % BUILD_BATCH_SIZE == 0:
            await asyncio.sleep(0)
    if issues or len(new_jobs) < len(given):
        raise BadRequest("; ".join(map(_placed, issues)), issues)
    return new_jobs


def _placed(issue: Issue) -> str:
    return f"jobs[{issue.path[1]}]: {issue.message}"


def build_job(
    ctx: RequestContext, function: AnyTarget, new: JobToSchedule, args: JsonObject, now: datetime
) -> NewJob:
    """Build a job that calls `function` with its bound arguments, scheduled at `now`.

    Raises BadRequest if it is due too late.
    """
    return NewJob(
        function=function,
        args=args,
        owner=ctx.owner,
        cause=ctx.cause,
        scheduled_time=due_time(new.run_at, new.run_after_ms, now),
        key=new.key,
        queue=new.queue,
        priority=new.priority,
        timeout_ms=new.timeout_ms,
        tags=new.tags,
    )


async def warnings_of(ctx: RequestContext, found: Job) -> list[SchedulingWarning]:
    """Return warnings about a pending job that cannot start; empty in other states."""
    pending = found.state is JobState.PENDING
    return await queue_warnings(ctx, found.queue) if pending else []


async def queue_warnings(
    ctx: RequestContext, queue: str = DEFAULT_QUEUE
) -> list[SchedulingWarning]:
    """Return warnings about a queue whose pending jobs cannot start."""
    warning = await ctx.engine.queues.warnings.find(queue)
    return [] if warning is None else [warning]


def due_time(run_at: datetime | None, run_after_ms: int | None, now: datetime) -> datetime:
    """Return a job's scheduled time; raises BadRequest if it is too far ahead."""
    if run_at is None:
        return now + timedelta(milliseconds=run_after_ms or 0)
    if run_at - now > MAX_HORIZON:
        message = f"runAt: {format_instant(run_at)} is more than five years away"
        raise BadRequest.at("runAt", message=message, code="too_far")
    return run_at


async def cancel_job(ctx: RequestContext, job_id: str) -> Job:
    """Cancel a pending job, or request the cancellation of a running one.

    Raises NotFound, or PreconditionFailed for an ended job, and unless the viewer is an admin for
    an internal one.
    """
    found = await _find_cancelable(ctx, job_id)
    return await ctx.engine.cancel(found.id)


async def cancel_tree(ctx: RequestContext, job_id: str) -> tuple[Job, Cascade]:
    """Cancel a job, unless it has ended, and its unfinished descendants of the viewer.

    Returns the job. Raises NotFound, and PreconditionFailed like `cancel_job`.
    """
    with suppress(PreconditionFailed):
        await ctx.engine.cancel((await _find_cancelable(ctx, job_id)).id)
    found = await job(ctx, job_id)
    return found, await cancel_descendants(ctx.engine, found, ctx.scope)


async def reschedule_job(ctx: RequestContext, job_id: str, change: NewDueTime) -> Job:
    """Change when a pending job is due.

    Raises NotFound, BadRequest at `runAt`, Conflict if it has changed, or PreconditionFailed in any
    other state, or for an internal job.
    """
    await _find_not_internal(ctx, job_id, "rescheduled")
    due = due_time(change.run_at, change.run_after_ms, await ctx.now())
    return await ctx.engine.changes.reschedule(job_id, due, change.expected_version)


async def retry_job(ctx: RequestContext, job_id: str, args: JsonObject | None = None) -> Job:
    """Start another set of attempts of a failed or canceled job, and resolve its failure.

    `args` replaces its arguments: then the viewer must be able to schedule its function. Raises
    NotFound, BadRequest at `args`, Forbidden if the viewer has lost the function's role,
    OwnerSuspended, or PreconditionFailed if its owner has lost the role, in any other state, or for
    an internal job.
    """
    found = await _find_not_internal(ctx, job_id, "retried")
    require_roles_of(ctx, found.function_name)
    await require_rights_of_owner(ctx, found)
    if args is not None:
        args = target_of(ctx, found.function_name).bind(args)
    return await ctx.engine.changes.retry(job_id, args, ctx.owner)


async def _find_cancelable(ctx: RequestContext, job_id: str) -> Job:
    if ctx.viewer.is_admin:
        return await job(ctx, job_id)
    return await _find_not_internal(ctx, job_id, "canceled")


async def _find_not_internal(ctx: RequestContext, job_id: str, verb: str) -> Job:
    found = await job(ctx, job_id)
    if found.internal:
        raise PreconditionFailed(
            f"{found.function_name} belongs to the system and cannot be {verb}: pause its cron, "
            "stop its task, or cancel its batch"
        )
    return found
