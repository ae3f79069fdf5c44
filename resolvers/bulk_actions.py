"""Use cases of bulk actions: start, read, cancel."""

from dataclasses import replace
from datetime import datetime

from ostinato.jobs.bulk_actions import JOB_STATES, BulkAction, BulkActionKind
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.filters import FailureFilter, FailureState, JobFilter
from ostinato.jobs.functions import bulk_actions as functions
from ostinato.jobs.functions.bulk_actions import NewBulkAction
from ostinato.jobs.paging import Page, Window
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.scheduling import NewDueTime, due_time, scope_of


async def bulk_action(ctx: RequestContext, bulk_action_id: str) -> BulkAction:
    """Read a bulk action; raises NotFound."""
    return await ctx.find(BulkAction, bulk_action_id)


async def bulk_actions(ctx: RequestContext, window: Window) -> Page[BulkAction]:
    """Read a page of the viewer's bulk actions, newest first."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(BulkAction, ctx.scope, window)


async def cancel_jobs(ctx: RequestContext, which: JobFilter) -> BulkAction:
    """Start to cancel the matching pending and running jobs that exist now.

    Raises BadRequest, Forbidden, OwnerSuspended and QuotaExceeded.
    """
    return await _start_with_jobs(ctx, BulkActionKind.CANCEL_JOBS, which)


async def retry_jobs(ctx: RequestContext, which: JobFilter) -> BulkAction:
    """Start to retry the matching failed and canceled jobs that exist now.

    Raises BadRequest, Forbidden, OwnerSuspended and QuotaExceeded.
    """
    return await _start_with_jobs(ctx, BulkActionKind.RETRY_JOBS, which)


async def reschedule_jobs(ctx: RequestContext, which: JobFilter, change: NewDueTime) -> BulkAction:
    """Start to change when the matching pending jobs that exist now are due.

    A delay counts from now, and is the same instant for all of them. Raises BadRequest, Forbidden,
    OwnerSuspended and QuotaExceeded.
    """
    due = due_time(change.run_at, change.run_after_ms, await ctx.now())
    return await _start_with_jobs(ctx, BulkActionKind.RESCHEDULE_JOBS, which, due)


async def resolve_failures(ctx: RequestContext, which: FailureFilter) -> BulkAction:
    """Start to resolve the matching open failures that exist now.

    Raises BadRequest, Forbidden, OwnerSuspended and QuotaExceeded.
    """
    return await _start_with_failures(ctx, BulkActionKind.RESOLVE_FAILURES, which)


async def retry_failures(ctx: RequestContext, which: FailureFilter) -> BulkAction:
    """Start to retry the jobs of the matching open failures that exist now.

    Raises BadRequest, Forbidden, OwnerSuspended and QuotaExceeded.
    """
    return await _start_with_failures(ctx, BulkActionKind.RETRY_FAILURES, which)


async def cancel_bulk_action(ctx: RequestContext, bulk_action_id: str) -> BulkAction:
    """Stop a bulk action before its next page; raises NotFound, PreconditionFailed if it ended."""
    return await ctx.transact_as_owner(
        BulkAction,
        bulk_action_id,
        lambda context: functions.cancel_bulk_action(context, bulk_action_id),
    )


async def _start_with_jobs(
    ctx: RequestContext, kind: BulkActionKind, which: JobFilter, run_at: datetime | None = None
) -> BulkAction:
    if which.internal is not False:
        message = "internal must be false: bulk actions do not change internal jobs"
        raise BadRequest.at("internal", message=message, code="not_allowed")
    allowed = JOB_STATES[kind]
    states = tuple(each for each in which.states or allowed if each in allowed)
    if not states:
        names = " or ".join(state.name for state in allowed)
        message = f"states must contain {names}: other jobs are not changed"
        raise BadRequest.at("states", message=message, code="not_allowed")
    target = _target_of(ctx, which)
    target_filter = replace(which, states=states, owner=None)
    total = await ctx.engine.reads.count_jobs(target, target_filter)
    return await _start(
        ctx,
        NewBulkAction(
            kind=kind,
            which=target_filter,
            target_owner=target,
            total=total.count if total.is_exact else None,
            run_at=run_at,
        ),
    )


async def _start_with_failures(
    ctx: RequestContext, kind: BulkActionKind, which: FailureFilter
) -> BulkAction:
    if which.states is not None and FailureState.OPEN not in which.states:
        message = "states must contain OPEN: resolved failures are not changed"
        raise BadRequest.at("states", message=message, code="not_allowed")
    target = _target_of(ctx, which)
    target_filter = replace(which, states=(FailureState.OPEN,), owner=None)
    total = await ctx.engine.reads.count_failures(target, target_filter)
    return await _start(
        ctx,
        NewBulkAction(
            kind=kind,
            which=target_filter,
            target_owner=target,
            total=total.count if total.is_exact else None,
        ),
    )


async def _start(ctx: RequestContext, new: NewBulkAction) -> BulkAction:
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner, lambda context: functions.start_bulk_action(context, new)
    )


def _target_of(ctx: RequestContext, which: JobFilter | FailureFilter) -> str | None:
    """Return the owner of the objects to change: the viewer, unless the filter has another one.

    None for the objects of all owners, which only an application can change at once.
    """
    return ctx.owner if which.owner is None else scope_of(ctx, which)
