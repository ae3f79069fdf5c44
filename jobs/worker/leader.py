"""One worker of the fleet leads: it dispatches and sweeps. Another takes over within seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from jobs.logs import get_log
from jobs.mongo.client import MongoError
from jobs.mongo.workers import WorkerStore
from jobs.waiting import run_together

ROLE: Final = "dispatcher"
RENEWALS: Final = 3  # in one lease, so that a slow one does not cost the lead

log = get_log(__name__)

Duty = Callable[[], Awaitable[None]]


class Leadership:
    """Runs duties while this worker leads, and stops them when it does not."""

    def __init__(
        self, workers: WorkerStore, worker_id: str, lease_ms: int, duties: tuple[Duty, ...]
    ) -> None:
        self._workers = workers
        self._lease_ms = lease_ms
        self._renew_every_s = lease_ms / RENEWALS / 1000
        self._worker_id = worker_id
        self._duties = duties

    async def run(self) -> None:
        """Stand for election for ever."""
        while True:
            if await self._elected():
                log.info("leader.elected", worker_id=self._worker_id)
                await self._lead()
                log.info("leader.deposed", worker_id=self._worker_id)
            await asyncio.sleep(self._renew_every_s)

    async def resign(self) -> None:
        """Let another worker lead at once."""
        await self._workers.resign(ROLE, self._worker_id)

    async def _lead(self) -> None:
        duties = asyncio.create_task(run_together(*self._duties))
        try:
            while not duties.done() and await self._elected():
                await asyncio.wait({duties}, timeout=self._renew_every_s)
        finally:
            duties.cancel()
            await asyncio.gather(duties, return_exceptions=True)

    async def _elected(self) -> bool:
        try:
            return await self._workers.lead(ROLE, self._worker_id, self._lease_ms)
        except MongoError as error:
            log.warning("leader.unknown", error=str(error))
            return False
