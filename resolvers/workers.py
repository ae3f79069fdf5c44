"""Use case of workers, for admins: list."""

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.fleet import WorkerRecord
from ostinato.resolvers.request import RequestContext


async def workers(ctx: RequestContext) -> list[WorkerRecord]:
    """Read the registered workers, oldest first; raises Forbidden unless the viewer is an admin."""
    if not ctx.viewer.is_admin:
        raise Forbidden(
            "only admins can see workers: sign in with a token whose `roles` include `admin`"
        )
    return await ctx.engine.queues.workers.find_all()
