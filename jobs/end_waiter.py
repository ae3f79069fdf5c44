"""Waits for the ends of jobs, with one read for all waits of a process."""

from collections.abc import Collection, Mapping
from typing import Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.batch_loader import BatchLoader
from ostinato.jobs.errors import NotFound
from ostinato.jobs.lifecycle import FINAL_STATES
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.reads import Reads

FIRST_PAUSE_S: Final = 0.02
MAX_PAUSE_S: Final = 0.5


class EndWaiter:
    """Waits for the ends of jobs of all owners; callers must check access."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._states: BatchLoader[str, str] = BatchLoader(self._read)

    async def wait(self, job_id: str) -> None:
        """Return once the job has ended; raises NotFound.

        The pause between two reads of its state doubles, up to half a second. Reads are repeated
        while MongoDB is unavailable.
        """
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S)
        while (state := await self._states.load(job_id)) not in FINAL_STATES:
            if state is None:
                raise NotFound("there is no job with this id: it may have been purged")
            await backoff.wait()

    async def _read(self, ids: Collection[str]) -> Mapping[str, str | Exception]:
        return dict(await MongoRetry().run(lambda: self._reads.find_states(ids)))
