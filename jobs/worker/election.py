"""One worker of the fleet leads: it dispatches and sweeps. Another takes over within seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from ostinato.jobs.async_wait import run_all
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings

ROLE: Final = "dispatcher"
RENEWALS_PER_LEASE: Final = 3  # in one lease, so that a slow one does not cost the lead
MIN_PAUSE_LEASES: Final = 2.0  # leases; the others stand for election three times in each
MAX_PAUSE_LEASES: Final = 4.0
GROWTH: Final = 1.5

log = get_log(__name__)

Duty = Callable[[], Awaitable[None]]


def leader_lease_ms(settings: Settings) -> int:
    """Return how long a lead lasts that is not renewed, in milliseconds."""
    return settings.lease_ms // 2


class CannotLead(Exception):
    """Raised by a duty that has failed for so long that another worker should lead."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


class LeaderElection:
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
        self._renew_every_s = lease_ms / RENEWALS_PER_LEASE / 1000
        self._worker_id = worker_id
        self._duties = duties
        self._can_lead = can_lead
        self._pause = MIN_PAUSE_LEASES

    async def run(self) -> None:
        """Stand for election for ever."""
        while True:
            if await self._elected():
                log.info("leader.elected", worker_id=self._worker_id)
                try:
                    await self._lead()
                except CannotLead as reason:
                    await self._step_down(reason)
                else:
                    self._pause = MIN_PAUSE_LEASES
                    log.info("leader.lost", worker_id=self._worker_id)
            await asyncio.sleep(self._renew_every_s)

    async def resign(self) -> None:
        """Let another worker lead at once."""
        await self._workers.release_leadership(ROLE, self._worker_id)

    async def _lead(self) -> None:
        """Run the duties for as long as this worker leads; raises CannotLead."""
        duties = asyncio.create_task(run_all(*self._duties))
        try:
            while not duties.done() and await self._elected():
                await asyncio.wait({duties}, timeout=self._renew_every_s)
        finally:
            duties.cancel()
            (ended,) = await asyncio.gather(duties, return_exceptions=True)
        if isinstance(ended, CannotLead):
            raise ended

    async def _step_down(self, reason: CannotLead) -> None:
        """Give the lead up, and leave it to the others for a while.

        If nobody else has taken it by then, this worker leads again: it can sweep at least.
        """
        lease_s = self._lease_ms / 1000
        pause_s, began_at = self._pause * lease_s, time.monotonic()
        self._pause = min(self._pause * GROWTH, MAX_PAUSE_LEASES)
        log.warning(
            "leader.stepped_down",
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
            return await self._workers.acquire_leadership(ROLE, self._worker_id, self._lease_ms)
        except MongoError as error:
            log.warning("election.failed", error=str(error))
            return False
