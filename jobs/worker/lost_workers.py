"""What becomes of the jobs of a worker that is gone."""

from typing import Any, Final

from jobs.engine import Engine
from jobs.logs import get_log
from jobs.mongo.client import MongoError
from jobs.mongo.completions import Completions, Outcome
from jobs.mongo.lost_sessions import kill_transactions
from jobs.mongo.workers import WorkerStore
from jobs.queue.doorbell import Bell
from jobs.worker.attempt import WORKER_LOST, Attempt, keep_ms_of
from jobs.worker.beats import Beats

GRACE_BEATS: Final = 2.5
"""When MongoDB itself was away, every lease is over and no worker is lost: each has this long to
be heard of again. So long must whoever declares it lost have been answered, too."""
JOBS_AT_ONCE: Final = 500
RECLAIM_WITHIN_S: Final = 5.0  # then the next worker's are taken, and these at the next look

log = get_log(__name__)


class LostWorkers:
    """Declares workers lost, and reclaims what they held."""

    def __init__(self, engine: Engine, workers: WorkerStore, beats: Beats) -> None:
        self._engine = engine
        self._workers = workers
        self._beats = beats
        self._grace_ms = round(GRACE_BEATS * engine.settings.heartbeat_ms)
        self._completions = Completions(engine.mongo, RECLAIM_WITHIN_S)

    async def reclaim(self) -> int:
        """Look once; returns how many jobs were taken from lost workers."""
        lost = await self._workers.gone()
        if self._beats.were_answered_for(self._grace_ms / 1000):
            lost += await self._workers.silent(self._engine.settings.lease_ms + self._grace_ms)
        # All of them first: what one has locked may be another's job, which it was reclaiming.
        for worker_id in lost:
            await self._depose(worker_id)
        return sum([await self._take_from(worker_id) for worker_id in lost])

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
