"""Compares, every second and at each ring, what this worker runs with what it holds."""

import asyncio
import time
from typing import Final

from ostinato.jobs.async_wait import wait_for_event
from ostinato.jobs.engine import Engine
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.worker.executor import Executor
from ostinato.jobs.worker.running_attempt import AttemptKey, StopReason

INTERVAL_S: Final = 1.0
RELEASE_TIMEOUT_S: Final = 1.0  # what MongoDB refuses is tried again while the watch goes on
GRACE_S: Final = 2.0  # a claim or completion that is on its way looks like a difference

log = get_log(__name__)


class LeaseReconciler:
    """Ends what was canceled or lost, and gives back what was claimed without an answer."""

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
        """Look once."""
        before, in_transit = self._running_keys(), self._executor.in_transit
        jobs = await self._engine.store.held_leases(self._worker_id)
        held: set[AttemptKey] = {
            (job["_id"], job["attempt"]) for job in jobs if _is_key(job["_id"], job.get("attempt"))
        }
        for job in jobs:
            if job.get("cancelRequestedAt") is not None and type(job["_id"]) is str:
                self._stop(job["_id"], StopReason.CANCELED)
        # What began or ended during the read is no difference yet, nor what is being claimed.
        in_transit |= self._executor.in_transit | self._engine.store.poisoned.unwritable()
        orphaned_claims = {
            key for key in held - before - self._running_keys() if key[0] not in in_transit
        }
        lost = (before - held) & self._running_keys()
        lasting = self._lasting(orphaned_claims | lost)
        for job_id, attempt in lasting & lost:
            if self._stop(job_id, StopReason.LEASE_LOST):
                log.warning("attempt.lost", job_id=job_id, attempt=attempt)
        # Only now: whatever runs may end while this is written.
        await self._release_claims(lasting & orphaned_claims)

    def _stop(self, job_id: str, why: StopReason) -> bool:
        """End a running attempt; False if its function has returned: that is being written."""
        running = self._executor.running.get(job_id)
        if running is None or running.has_returned:
            return False
        running.cancel(why)
        return True

    def _running_keys(self) -> set[AttemptKey]:
        return {
            (running.attempt.job_id, running.attempt.number)
            for running in self._executor.running.values()
            if _is_key(running.attempt.job_id, running.attempt.number)
        }

    def _lasting(self, differing: set[AttemptKey]) -> set[AttemptKey]:
        """Give those that have differed for a while, in row."""
        now = time.monotonic()
        self._differing_since = {key: self._differing_since.get(key, now) for key in differing}
        return {key for key, since in self._differing_since.items() if now - since >= GRACE_S}

    async def _release_claims(self, orphaned_claims: set[AttemptKey]) -> None:
        if not orphaned_claims:
            return
        log.warning("claim.orphaned", job_ids=[job_id for job_id, _ in sorted(orphaned_claims)])
        keep_ms = self._engine.settings.purge_after_ms  # if its end was asked for, this ends it
        releasing = [self._executor.release_claim(key, keep_ms) for key in sorted(orphaned_claims)]
        await asyncio.wait(releasing, timeout=RELEASE_TIMEOUT_S)


def _is_key(job_id: object, attempt: object) -> bool:
    """Return whether an attempt can be compared: in a malformed job either may lack a hash."""
    return type(job_id) is str and isinstance(attempt, int)
