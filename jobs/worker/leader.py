"""One worker of the fleet leads: it dispatches and sweeps. Another takes over within seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from ostinato.jobs.waiting import run_together

ROLE: Final = "dispatcher"
RENEWALS: Final = 3  # in one lease, so that a slow one does not cost the lead
SHORTEST_PAUSE: Final = 2.0  # leases; the others stand for election three times in each
LONGEST_PAUSE: Final = 4.0
GROWTH: Final = 1.5

log = get_log(__name__)

Duty = Callable[[], Awaitable[None]]


def lead_ms(settings: Settings) -> int:
    """Return how long a lead lasts that is not renewed, in milliseconds."""
    return settings.lease_ms // 2


class CannotLead(Exception):
    """Raised by a duty that has failed for so long that another worker should lead."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


class Leadership:
    """Runs duties while this worker leads, and stops them when it does not."""

    def __init__(
        self,
        workers: WorkerStore,
        worker_id: str,
        lease_ms: int,
        duties: tuple[Duty, ...],
        can_lead: Callable[[], Awaitable[bool]],
    ) -> None:
        """`can_lead` is asked after a duty has raised CannotLead: once it is true, this worker
        stands for election again."""
        self._workers = workers
        self._lease_ms = lease_ms
        self._renew_every_s = lease_ms / RENEWALS / 1000
        self._worker_id = worker_id
        self._duties = duties
        self._can_lead = can_lead
        self._pause = SHORTEST_PAUSE

    async def run(self) -> None:
        """Stand for election for ever."""
        while True:
            if await self._elected():
                log.info("leader.elected", worker_id=self._worker_id)
                try:
                    await self._lead()
                except CannotLead as reason:
                    await self._stand_back(reason)
                else:
                    self._pause = SHORTEST_PAUSE
                    log.info("leader.deposed", worker_id=self._worker_id)
            await asyncio.sleep(self._renew_every_s)

    async def resign(self) -> None:
        """Let another worker lead at once."""
        await self._workers.resign(ROLE, self._worker_id)

    async def _lead(self) -> None:
        """Run the duties for as long as this worker leads; raises CannotLead."""
        duties = asyncio.create_task(run_together(*self._duties))
        try:
            while not duties.done() and await self._elected():
                await asyncio.wait({duties}, timeout=self._renew_every_s)
        finally:
            duties.cancel()
            (ended,) = await asyncio.gather(duties, return_exceptions=True)
        if isinstance(ended, CannotLead):
            raise ended

    async def _stand_back(self, reason: CannotLead) -> None:
        """Give the lead up, and leave it to the others for a while.

        If nobody else has taken it by then, this worker leads again: it can sweep at least.
        """
        lease_s = self._lease_ms / 1000
        pause_s, began_at = self._pause * lease_s, time.monotonic()
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)
        log.warning(
            "leader.stood_back",
            worker_id=self._worker_id,
            error=str(reason),
            fix=reason.fix,
            for_s=pause_s,
        )
        with suppress(MongoError):  # then the lease ends by itself
            await self.resign()
        await asyncio.sleep(lease_s)
        while time.monotonic() - began_at < pause_s and not await self._can_lead():
            await asyncio.sleep(self._renew_every_s)

    async def _elected(self) -> bool:
        try:
            return await self._workers.lead(ROLE, self._worker_id, self._lease_ms)
        except MongoError as error:
            log.warning("leader.unknown", error=str(error))
            return False
