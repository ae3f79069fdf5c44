"""Use cases of queues, for admins: look, pause, resume."""

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.lanes import Queue
from ostinato.resolvers.request import RequestContext


async def queues(ctx: RequestContext) -> list[Queue]:
    """Read the queues that workers serve, that jobs wait in, or that were ever changed, by name.

    Raises Forbidden unless the viewer is an admin, as all of them do.
    """
    _require_admin(ctx)
    return await ctx.engine.queues.all()


async def pause_queue(ctx: RequestContext, name: str) -> Queue:
    """Keep a queue's pending jobs from starting; those that run finish."""
    _require_admin(ctx)
    return await ctx.engine.queues.pause(name)


async def resume_queue(ctx: RequestContext, name: str, weight: int | None) -> Queue:
    """Let a queue's jobs start again, with another weight if one is given."""
    _require_admin(ctx)
    return await ctx.engine.queues.resume(name, weight)


def _require_admin(ctx: RequestContext) -> None:
    if not ctx.viewer.is_admin:
        raise Forbidden(
            "only admins may see, pause and resume queues: sign in with a token whose `roles` hold "
            "`admin`"
        )
