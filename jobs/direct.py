"""Where an action's jobs go: straight to the database, whatever becomes of the action."""

from dataclasses import replace

from ostinato.jobs.context import AttemptLost, JobInfo
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import NotFound, PreconditionFailed
from ostinato.jobs.mongo.job_documents import NewJob
from ostinato.jobs.mongo.job_store import Ownership


class ImmediateScheduler:
    def __init__(self, engine: Engine, job: JobInfo) -> None:
        self._engine = engine
        self._job = job

    async def schedule(self, new: NewJob) -> str:
        """Schedule a job at once; raises AttemptLost if the action's own is another's by now."""
        hold = await self._engine.store.read_ownership(self._job.id, self._job.attempt)
        if hold is Ownership.LOST:
            raise AttemptLost
        canceled = hold is Ownership.CANCEL_REQUESTED
        return (await self._engine.schedule(replace(new, canceled=canceled))).id

    async def cancel(self, job_id: str, owner: str | None) -> bool:
        try:
            await self._engine.cancel(job_id, owner)
        except (NotFound, PreconditionFailed):
            return False
        return True
