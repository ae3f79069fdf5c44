"""What becomes of the jobs of a worker that is gone."""

import time
from typing import Any, Final

from jobs.engine import Engine
from jobs.logs import get_log
from jobs.mongo.client import MongoError
from jobs.mongo.completions import Completions, Outcome
from jobs.mongo.lost_sessions import kill_transactions
from jobs.mongo.workers import Silent, WorkerStore
from jobs.queue.doorbell import Bell
from jobs.worker.attempt import WORKER_LOST, Attempt, keep_ms_of

# When MongoDB itself was away, every lease is over and no worker is lost: each has this long to
# be heard of again.
GRACE_BEATS: Final = 2.5
JOBS_AT_ONCE: Final = 500
RECLAIM_WITHIN_S: Final = 5.0  # then the next worker's are taken, and these at the next look

log = get_log(__name__)


class LostWorkers:
    """Declares workers lost, and reclaims what they held."""

    def __init__(self, engine: Engine, workers: WorkerStore) -> None:
        self._engine = engine
        self._workers = workers
        self._lease_ms = engine.settings.lease_ms
        self._grace_s = GRACE_BEATS * engine.settings.heartbeat_ms / 1000
        self._completions = Completions(engine.mongo, RECLAIM_WITHIN_S)
        self._suspected: dict[Silent, float] = {}

    async def reclaim(self) -> int:
        """Look once; returns how many jobs were taken from lost workers."""
        now = time.monotonic()
        silent = await self._workers.silent(self._lease_ms)
        self._suspected = {one: self._suspected.get(one, now) for one in silent}
        lost = [
            one
            for one, since in self._suspected.items()
            if one.heard_at is None or now - since >= self._grace_s
        ]
        # All of them first: what one has locked may be another's job, which it was reclaiming.
        for one in lost:
            await self._depose(one.worker_id)
        return sum([await self._take_from(one.worker_id) for one in lost])

    async def _depose(self, worker_id: str) -> None:
        """Remove its heartbeat first: if it lives, it knows from now on that it is deposed."""
        await self._workers.remove(worker_id)
        killed = await kill_transactions(self._engine.mongo, worker_id)
        log.warning("worker.lost", worker_id=worker_id, transactions=killed)

    async def _take_from(self, worker_id: str) -> int:
        taken = 0
        try:
            while jobs := await self._engine.store.held_in_full(worker_id, JOBS_AT_ONCE):
                outcomes = [self._decide(job, worker_id) for job in jobs]
                await self._completions.write(outcomes, await self._engine.clock.offset_ms())
                self._engine.doorbell.ring(Bell.DUE)
                taken += len(jobs)
        except (MongoError, TimeoutError) as error:
            log.warning("worker.not_reclaimed", worker_id=worker_id, error=str(error))
        log.warning("worker.reclaimed", worker_id=worker_id, jobs=taken)
        return taken

    def _decide(self, job: dict[str, Any], worker_id: str) -> Outcome:
        function = self._engine.registry.get(job["functionName"])
        attempt = Attempt.of(job, keep_ms_of(function, self._engine.settings.purge_after_ms))
        times_lost = 1 + sum(
            1 for event in job["timeline"] if (event.get("error") or {}).get("name") == WORKER_LOST
        )
        return attempt.lost(function.kind if function else None, times_lost, worker_id)
