"""Use cases of failures: read, group, resolve."""

from ostinato.jobs.failure_groups import FailureGroup
from ostinato.jobs.filters import FailureFilter
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Failure, Job
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.scheduling import job, scope_of


async def recorded_failure(ctx: RequestContext, found: Job) -> Failure | None:
    """Read the newest failure that the function of a job recorded."""
    if found.attempt == 0:
        return None
    return await ctx.loaders.recorded_failures.load(found.id)


async def failure_recorded_by(ctx: RequestContext, job_id: str) -> Failure | None:
    """Read the same by the job's id; raises NotFound."""
    return await recorded_failure(ctx, await job(ctx, job_id))


async def failures(
    ctx: RequestContext, window: Window, which: FailureFilter | None = None
) -> Page[Failure]:
    """Read a page of the viewer's matching failures, newest first; without a filter, open ones."""
    reads, chosen = ctx.engine.reads.within(ctx.read_budget), which or FailureFilter()
    return await reads.find_failures(scope_of(ctx, chosen), chosen, window)


async def failure_groups(
    ctx: RequestContext, which: FailureFilter, window: Window
) -> Page[FailureGroup]:
    """Read a page of the groups of the viewer's newest failures, newest failure first."""
    scope, now = scope_of(ctx, which), await ctx.now()
    return await ctx.engine.reads.find_failure_groups(scope, which, window, now)


async def resolve_failure(ctx: RequestContext, failure_id: str) -> Failure:
    """Resolve a failure of the viewer, and schedule its job's purge.

    Raises NotFound, or PreconditionFailed if it is resolved.
    """
    return await ctx.engine.changes.resolve(await ctx.find(Failure, failure_id))
