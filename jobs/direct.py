"""Where an action's jobs go: straight to the database, whatever becomes of the action."""

from dataclasses import replace

from jobs.engine import Engine
from jobs.errors import NotFound, PreconditionFailed
from jobs.mongo.job_documents import NewJob


class DirectSink:
    def __init__(self, engine: Engine, job_id: str) -> None:
        self._engine = engine
        self._job_id = job_id

    async def put(self, new: NewJob) -> str:
        canceled = await self._engine.store.end_was_asked(self._job_id)
        return (await self._engine.schedule(replace(new, canceled=canceled))).id

    async def cancel(self, job_id: str) -> bool:
        try:
            await self._engine.cancel(job_id)
        except (NotFound, PreconditionFailed):
            return False
        return True
