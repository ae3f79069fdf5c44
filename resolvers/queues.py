"""Use cases of queues, for admins: list, pause, resume."""

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.lanes import Queue
from ostinato.resolvers.request import RequestContext


async def queues(ctx: RequestContext) -> list[Queue]:
    """Read the queues that workers serve, that have pending jobs, or that were changed, by name.

    Raises Forbidden unless the viewer is an admin.
    """
    _require_admin(ctx)
    return await ctx.engine.queues.all()


async def pause_queue(ctx: RequestContext, name: str) -> Queue:
    """Pause a queue: pending jobs do not start, running jobs finish. Raises Forbidden."""
    _require_admin(ctx)
    return await ctx.engine.queues.pause(name)


async def resume_queue(ctx: RequestContext, name: str, weight: int | None) -> Queue:
    """Resume a queue, with a new weight if one is given. Raises Forbidden."""
    _require_admin(ctx)
    return await ctx.engine.queues.resume(name, weight)


def _require_admin(ctx: RequestContext) -> None:
    if not ctx.viewer.is_admin:
        raise Forbidden(
            "only admins can see, pause and resume queues: sign in with a token whose `roles` "
            "include `admin`"
        )
