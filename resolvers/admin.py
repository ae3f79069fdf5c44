"""Admin use cases: list workers; list, pause and resume queues. Others get Forbidden."""

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.lanes import Queue
from ostinato.jobs.records import WorkerRecord
from ostinato.resolvers.context import RequestContext


async def workers(ctx: RequestContext) -> list[WorkerRecord]:
    """Read the registered workers, oldest first."""
    _require_admin(ctx, "see workers")
    return await ctx.engine.workers.find_all()


async def queues(ctx: RequestContext) -> list[Queue]:
    """Read all queues with workers, pending jobs or stored settings, by name."""
    _require_admin(ctx, "see, pause and resume queues")
    return await ctx.engine.queues.all()


async def pause_queue(ctx: RequestContext, name: str) -> Queue:
    """Pause a queue: pending jobs do not start, running jobs finish."""
    _require_admin(ctx, "see, pause and resume queues")
    return await ctx.engine.queues.pause(name)


async def resume_queue(ctx: RequestContext, name: str, weight: int | None) -> Queue:
    """Resume a queue, and set its weight if given."""
    _require_admin(ctx, "see, pause and resume queues")
    return await ctx.engine.queues.resume(name, weight)


def _require_admin(ctx: RequestContext, what: str) -> None:
    if not ctx.viewer.is_admin:
        raise Forbidden(
            f"only admins can {what}: sign in with a token whose `roles` include `admin`"
        )
