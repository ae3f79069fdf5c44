"""Use cases that change crons or run them outside their schedule.

Each runs in one transaction, on behalf of the cron's owner, and raises VersionConflict unless the
cron has the expected version, if one is given.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ostinato.jobs.async_tools.cpu_thread import collect_in_cpu_thread
from ostinato.jobs.cron_preview import RunChanges
from ostinato.jobs.errors import require_range
from ostinato.jobs.functions import cron_changes as functions
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_previews import plan_change
from ostinato.jobs.functions.cron_runs import Backfill, TickPeriod
from ostinato.jobs.functions.cron_runs import backfill_cron as backfill
from ostinato.jobs.functions.cron_runs import trigger_cron as trigger
from ostinato.jobs.functions.cron_sets import MAX_SET, AppliedCrons, errors_about
from ostinato.jobs.functions.cron_sets import apply_crons as apply_set
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.records import Cron, Job
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.functions import require_callable_function, require_roles_of

DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 366


async def update_cron(
    ctx: RequestContext, cron_id: str, patch: CronPatch, expected_version: int | None = None
) -> Cron:
    """Change a cron; raises NotFound, BadRequest, Forbidden if the function is not callable, and
    what `functions.update_cron` raises."""
    found = await _find_to_change(ctx, cron_id, patch)
    return await ctx.engine.transact(
        found.owner,
        lambda context: functions.update_cron(context, cron_id, patch, expected_version),
    )


async def preview_cron_change(
    ctx: RequestContext, cron_id: str, patch: CronPatch, days: int = DEFAULT_DAYS
) -> RunChanges:
    """Compare the runs of a cron before and after a change, for some days; raises like
    `update_cron`, except QuotaExceeded and Conflict."""
    require_range("days", days, 1, MAX_DAYS)
    found = await _find_to_change(ctx, cron_id, patch)
    change = await ctx.engine.transact(
        found.owner, lambda context: plan_change(context, cron_id, patch)
    )
    slices = await collect_in_cpu_thread(ctx.viewer.id, change.compare(timedelta(days=days)))
    return slices[-1]


async def _find_to_change(ctx: RequestContext, cron_id: str, patch: CronPatch) -> Cron:
    """Return a cron whose function the viewer may use, before and after the change."""
    found = await ctx.find(Cron, cron_id)
    name = patch.get("function_name", found.function_name)
    if name != found.function_name:
        require_callable_function(ctx, name)
    else:
        require_roles_of(ctx, name)
    return found


async def skip_next_run(
    ctx: RequestContext, cron_id: str, expected_version: int | None = None
) -> Cron:
    """Skip the next run of a cron; raises NotFound, and PreconditionFailed if it is paused."""
    return await ctx.transact_as_owner(
        Cron,
        cron_id,
        lambda context: functions.skip_next_run(context, cron_id, expected_version),
    )


async def trigger_cron(
    ctx: RequestContext, cron_id: str, key: str | None = None, expected_version: int | None = None
) -> tuple[Cron, Job]:
    """Run a cron's function now, and return the job, too.

    Raises NotFound, Forbidden if the viewer has lost the function's role, and what
    `functions.trigger_cron` raises.
    """
    found = await ctx.find(Cron, cron_id)
    require_roles_of(ctx, found.function_name)
    cron, job_id = await ctx.engine.transact(
        found.owner, lambda context: trigger(context, cron_id, key, expected_version)
    )
    return cron, await ctx.find(Job, job_id)


async def backfill_cron(
    ctx: RequestContext, cron_id: str, between: TickPeriod, expected_version: int | None = None
) -> Backfill:
    """Run the ticks of a past period that have not run; raises like `trigger_cron`, and BadRequest
    for a period that is too long or too old."""
    found = await ctx.find(Cron, cron_id)
    require_roles_of(ctx, found.function_name)
    return await ctx.engine.transact(
        found.owner, lambda context: backfill(context, cron_id, between, expected_version)
    )


async def apply_crons(
    ctx: RequestContext, managed_by: str, declared: Sequence[NewCron]
) -> AppliedCrons:
    """Make the viewer's crons of a set equal to the declared ones.

    Raises BadRequest, Forbidden if a function is not callable, OwnerSuspended, Conflict for the
    name of a cron outside the set, and QuotaExceeded.
    """
    for position, new in enumerate(declared[:MAX_SET]):
        with errors_about(position, new.name):
            require_callable_function(ctx, new.function_name)
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner, lambda context: apply_set(context, managed_by, declared)
    )
