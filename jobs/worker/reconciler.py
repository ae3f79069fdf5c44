"""Reconciles the running attempts with this worker's leases in MongoDB, every second."""

import asyncio
import time
from typing import Final

from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.engine import Engine
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.worker.executor import Executor
from ostinato.jobs.worker.running_attempt import AttemptKey, StopReason

INTERVAL_S: Final = 1.0
HAND_BACK_TIMEOUT_S: Final = 1.0  # a rejected write is retried in the background
GRACE_S: Final = 2.0  # a claim or outcome in flight looks like a difference

log = get_log(__name__)


class LeaseReconciler:
    """Stops attempts that were canceled or lost, and hands back claims whose reply was lost."""

    def __init__(self, engine: Engine, worker_id: str, executor: Executor) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._executor = executor
        self._wake = asyncio.Event()
        self._differing_since: dict[AttemptKey, float] = {}

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.reconcile()
            except MongoError as error:
                log.warning("reconcile.failed", error=str(error))
            await wait_for_event(self._wake, INTERVAL_S)

    async def reconcile(self) -> None:
        """Run one reconciliation."""
        before, in_transit = self._running_keys(), self._executor.in_transit
        leases = await self._engine.store.find_leases(self._worker_id)
        held: set[AttemptKey] = {
            (lease.job_id, lease.attempt) for lease in leases if lease.attempt is not None
        }
        for lease in leases:
            if lease.is_cancel_requested:
                self._stop(lease.job_id, StopReason.CANCELED)
        # Ignore attempts that started or ended during the read, and claims in flight.
        in_transit |= self._executor.in_transit | self._engine.store.poisoned.unwritable()
        orphaned_claims = {
            key for key in held - before - self._running_keys() if key[0] not in in_transit
        }
        lost = (before - held) & self._running_keys()
        persistent = self._persistent(orphaned_claims | lost)
        for job_id, attempt in persistent & lost:
            if self._stop(job_id, StopReason.LEASE_LOST):
                log.warning("attempt.lost", job_id=job_id, attempt=attempt)
        # Last, because running attempts may end during this write.
        await self._hand_back_claims(persistent & orphaned_claims)

    def _stop(self, job_id: str, why: StopReason) -> bool:
        """Stop a running attempt; returns False if its outcome is already being written."""
        running = self._executor.attempts.get(job_id)
        if running is None or running.has_returned:
            return False
        running.cancel(why)
        return True

    def _running_keys(self) -> set[AttemptKey]:
        return {
            (running.attempt.job_id, running.attempt.number)
            for running in self._executor.attempts.values()
        }

    def _persistent(self, differing: set[AttemptKey]) -> set[AttemptKey]:
        """Return the keys that have differed continuously for GRACE_S."""
        now = time.monotonic()
        self._differing_since = {key: self._differing_since.get(key, now) for key in differing}
        return {key for key, since in self._differing_since.items() if now - since >= GRACE_S}

    async def _hand_back_claims(self, orphaned_claims: set[AttemptKey]) -> None:
        if not orphaned_claims:
            return
        log.warning("claim.orphaned", job_ids=[job_id for job_id, _ in sorted(orphaned_claims)])
        retention_ms = self._engine.settings.purge_after_ms  # applies if the job was canceled
        handing_back = [
            self._executor.hand_back_claim(key, retention_ms) for key in sorted(orphaned_claims)
        ]
        await asyncio.wait(handing_back, timeout=HAND_BACK_TIMEOUT_S)
