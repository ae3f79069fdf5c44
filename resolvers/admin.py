"""Admin use cases: workers, queues, and the owners of objects. Others get Forbidden."""

from collections.abc import Awaitable, Callable
from typing import Final

from ostinato.jobs.context import Context
from ostinato.jobs.errors import Forbidden, PreconditionFailed, require_range
from ostinato.jobs.functions import owners
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.lanes import Queue
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.rights import Owner
from ostinato.jobs.worker_records import WorkerRecord
from ostinato.resolvers.context import RequestContext

MAX_QUEUES: Final = 100  # per page
MANAGE_OWNERS: Final = "see, suspend, resume and purge owners"


async def workers(ctx: RequestContext) -> list[WorkerRecord]:
    """Read the registered workers, oldest first."""
    require_admin(ctx, "see workers")
    return await ctx.engine.workers.find_all()


async def queues(ctx: RequestContext, first: int, after: str) -> list[Queue]:
    """Read up to `first` queues with names after `after`, by name: those with workers, pending
    jobs or stored settings.

    Raises BadRequest for a `first` outside 1 to 100.
    """
    require_admin(ctx, "see, pause and resume queues")
    require_range("first", first, 1, MAX_QUEUES)
    return await ctx.engine.queues.find(first, after)


async def pause_queue(ctx: RequestContext, name: str) -> Queue:
    """Pause a queue: pending jobs do not start, running jobs finish."""
    require_admin(ctx, "see, pause and resume queues")
    return await ctx.engine.queues.pause(name)


async def resume_queue(ctx: RequestContext, name: str, weight: int | None) -> Queue:
    """Resume a queue, and set its weight if given."""
    require_admin(ctx, "see, pause and resume queues")
    return await ctx.engine.queues.resume(name, weight)


async def owner(ctx: RequestContext, owner_id: str) -> Owner:
    """Read what is known of an owner; of an unknown one, only the id."""
    require_admin(ctx, MANAGE_OWNERS)
    return await ctx.engine.owners.find(replace_surrogates(owner_id))


async def suspended_owners(ctx: RequestContext, window: Window) -> Page[Owner]:
    """Read a page of the suspended owners, newest suspension first."""
    require_admin(ctx, MANAGE_OWNERS)
    return await ctx.engine.owners.find_suspended(window)


async def suspend_owner(ctx: RequestContext, owner_id: str, reason: str | None) -> Owner:
    """Refuse new work of an owner, and pause their crons and recurring tasks.

    Raises PreconditionFailed for the viewer.
    """
    require_admin(ctx, MANAGE_OWNERS)
    by = ctx.viewer.id
    if owner_id == by:
        raise PreconditionFailed("you cannot suspend yourself: ask another admin")
    return await _change_owner(ctx, owner_id, lambda context: owners.suspend(context, by, reason))


async def resume_owner(ctx: RequestContext, owner_id: str) -> Owner:
    """End a suspension, and resume what it paused; raises PreconditionFailed during a purge."""
    require_admin(ctx, MANAGE_OWNERS)
    return await _change_owner(ctx, owner_id, owners.resume)


async def purge_owner(ctx: RequestContext, owner_id: str) -> Owner:
    """Start to delete everything of a suspended owner; raises PreconditionFailed."""
    require_admin(ctx, MANAGE_OWNERS)
    return await ctx.engine.transact(None, lambda context: owners.request_purge(context, owner_id))


async def _change_owner(
    ctx: RequestContext, owner_id: str, body: Callable[[Context], Awaitable[Owner]]
) -> Owner:
    changed = await ctx.engine.transact(owner_id, body)
    await ctx.engine.owners.refresh()
    return changed


def require_admin(ctx: RequestContext, what: str) -> None:
    """Raise Forbidden unless the viewer is an admin; `what` is what only admins can do."""
    if not ctx.viewer.is_admin:
        raise Forbidden(
            f"only admins can {what}: sign in with a token whose `roles` include `admin`"
        )
