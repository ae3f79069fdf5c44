"""The use case of workers, for admins: look."""

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.fleet import WorkerRecord
from ostinato.resolvers.request import RequestContext


async def workers(ctx: RequestContext) -> list[WorkerRecord]:
    """Read the workers that have registered, oldest first; raises Forbidden unless an admin."""
    if not ctx.viewer.is_admin:
        raise Forbidden(
            "only admins may see workers: sign in with a token whose `roles` hold `admin`"
        )
    return await ctx.engine.queues.workers.find_all()
