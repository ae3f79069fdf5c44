"""Leader election: the leader dispatches and sweeps; failover takes seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.async_tools.supervision import run_all
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings

ROLE: Final = "dispatcher"  # the stored name of the role of the workers' leader
RENEWALS_PER_LEASE: Final = 3  # one slow renewal must not lose leadership
MIN_PAUSE_LEASES: Final = 2.0  # in leader leases; other workers compete three times in each
MAX_PAUSE_LEASES: Final = 4.0
GROWTH: Final = 1.5

log = get_log(__name__)

Duty = Callable[[], Awaitable[None]]


def leader_lease_ms(settings: Settings) -> int:
    """Return how long the leader's lease lasts without renewal."""
    return settings.lease_ms // 2


class CannotLead(Exception):
    """Raised by a duty that keeps failing: another worker should lead."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A process that competes for a role."""

    id: str
    lease_ms: int
    role: str = ROLE


class LeaderElection:
    """Runs duties while this worker, or API process, is the leader."""

    def __init__(
        self,
        workers: WorkerStore,
        candidate: Candidate,
        duties: tuple[Duty, ...],
        can_lead: Callable[[], Awaitable[bool]],
    ) -> None:
        """After a CannotLead, this process competes again when `can_lead` returns True, or after a
        pause."""
        self._workers = workers
        self._role = candidate.role
        self._lease_ms = candidate.lease_ms
        self._renew_every_s = candidate.lease_ms / RENEWALS_PER_LEASE / 1000
        self._worker_id = candidate.id
        self._duties = duties
        self._can_lead = can_lead
        self._pause = MIN_PAUSE_LEASES

    async def run(self) -> None:
        """Compete for leadership until canceled."""
        while True:
            if await self._elected():
                log.info("leader.elected", role=self._role, worker_id=self._worker_id)
                try:
                    await self._lead()
                except CannotLead as reason:
                    await self._step_down(reason)
                else:
                    self._pause = MIN_PAUSE_LEASES
                    log.info("leader.lost", role=self._role, worker_id=self._worker_id)
            await asyncio.sleep(self._renew_every_s)

    async def resign(self) -> None:
        """Release leadership, so that another worker can acquire it immediately."""
        await self._workers.release_leadership(self._role, self._worker_id)

    async def _lead(self) -> None:
        """Run the duties until leadership is lost; raises CannotLead."""
        duties = asyncio.create_task(run_all(*self._duties))
        try:
            while not duties.done() and await self._elected():
                await asyncio.wait({duties}, timeout=self._renew_every_s)
        finally:
            duties.cancel()
            (result,) = await asyncio.gather(duties, return_exceptions=True)
        if isinstance(result, CannotLead):
            raise result

    async def _step_down(self, reason: CannotLead) -> None:
        """Release leadership and pause.

        If no other worker has acquired it after the pause, this worker leads again: it can at
        least sweep.
        """
        lease_s = self._lease_ms / 1000
        pause_s, began_at = self._pause * lease_s, time.monotonic()
        self._pause = min(self._pause * GROWTH, MAX_PAUSE_LEASES)
        log.warning(
            "leader.stepped_down",
            role=self._role,
            worker_id=self._worker_id,
            error=str(reason),
            fix=reason.fix,
            for_s=pause_s,
        )
        with suppress(MongoError):  # the lease expires instead
            await self.resign()
        await asyncio.sleep(lease_s)
        while time.monotonic() - began_at < pause_s and not await self._can_lead():
            await asyncio.sleep(self._renew_every_s)

    async def _elected(self) -> bool:
        try:
            return await self._workers.acquire_leadership(
                self._role, self._worker_id, self._lease_ms
            )
        except MongoError as error:
            log.warning("election.failed", error=str(error))
            return False
