"""Where an action's jobs go: straight to the database, whatever becomes of the action."""

from jobs.engine import Engine
from jobs.errors import NotFound, PreconditionFailed
from jobs.mongo.job_documents import NewJob


class DirectSink:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put(self, new: NewJob) -> str:
        return (await self._engine.schedule(new)).id

    async def cancel(self, job_id: str) -> bool:
        try:
            await self._engine.cancel(job_id)
        except (NotFound, PreconditionFailed):
            return False
        return True
