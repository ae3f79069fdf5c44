"""What becomes of the jobs of a worker that is gone."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.engine import Engine
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, MongoError
from ostinato.jobs.mongo.completions import Completions, Outcome
from ostinato.jobs.mongo.dead_sessions import kill_transactions
from ostinato.jobs.mongo.poisoned_jobs import MALFORMED_ERRORS, HeldJob
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.records import JobState
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.attempt import WORKER_LOST, Attempt, keep_ms_of
from ostinato.jobs.worker.heartbeats import HeartbeatHistory

BATCH_SIZE: Final = 500
RESCUE_TIMEOUT_S: Final = 5.0  # then the next worker's are taken, and these at the next look
SINGLE_WRITE_TIMEOUT_S: Final = 0.3  # one of several, of which somebody locks some

log = get_log(__name__)


def grace_ms(settings: Settings) -> int:
    """Tell how much longer than its lease a worker may be silent.

    When MongoDB itself was away, every lease is over and no worker is lost. A heartbeat may have
    hung then until its answer was given up, and the next one follows a beat later. For so long
    must whoever declares a worker lost have been answered, too.
    """
    return heartbeat_timeout_ms(settings) + round(1.5 * settings.heartbeat_ms)


def heartbeat_timeout_ms(settings: Settings) -> int:
    """Tell how long a heartbeat is waited for: a dead connection must not cost the lease."""
    return settings.lease_ms // 3


class WorkerRescuer:
    """Declares workers lost, and reclaims what they held."""

    def __init__(
        self, engine: Engine, workers: WorkerStore, own_id: str, beats: HeartbeatHistory
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._own_id = own_id
        self._beats = beats
        self._grace_ms = grace_ms(engine.settings)
        self._completions = Completions(engine.mongo, RESCUE_TIMEOUT_S, engine.store.poisoned)
        self._single = Completions(engine.mongo, SINGLE_WRITE_TIMEOUT_S, engine.store.poisoned)

    async def rescue(self) -> int:
        """Look once; returns how many jobs were taken from lost workers."""
        lost = await self._workers.find_unregistered_holders()
        if self._beats.healthy_for(self._grace_ms / 1000):
            silent = await self._workers.find_expired(
                self._engine.settings.lease_ms + self._grace_ms
            )
            # Who seems silent itself knows that the server's clock has jumped.
            lost += [] if self._own_id in silent else silent
        # All of them first: what one has locked may be another's job, which it was reclaiming.
        for worker_id in lost:
            await self._expire(worker_id)
        return sum([await self._rescue_from(worker_id) for worker_id in lost])

    async def _expire(self, worker_id: str) -> None:
        """Remove its heartbeat first: if it lives, it knows from now on that it is deposed."""
        await self._workers.remove(worker_id)
        killed = await kill_transactions(self._engine.mongo, worker_id)
        log.warning("worker.lost", worker_id=worker_id, transactions=killed)

    async def _rescue_from(self, worker_id: str) -> int:
        taken = 0
        try:
            while held := await self._engine.store.held_documents(worker_id, BATCH_SIZE):
                written = await self._rescue_jobs(held, worker_id)
                self._engine.notifier.notify(Signal.DUE)
                taken += written
                if written < len(held):
                    break
        except (MongoError, TimeoutError) as error:
            log.warning("worker.not_rescued", worker_id=worker_id, error=str(error))
        log.warning("worker.rescued", worker_id=worker_id, jobs=taken)
        return taken

    async def _rescue_jobs(self, held: Sequence[Document], worker_id: str) -> int:
        """Take jobs from a lost worker; returns how many. One that cannot be read fails."""
        outcomes: list[Outcome] = []
        failed = 0
        offset_ms = await self._engine.clock.offset_ms()
        for job in held:
            try:
                outcomes.append(self._decide(job, worker_id))
            except MALFORMED_ERRORS as error:
                running = HeldJob(job["_id"], JobState.IN_PROGRESS)
                failed += await self._engine.store.poisoned.fail(running, error, offset_ms)
        return failed + (await self._write(outcomes, offset_ms) if outcomes else 0)

    async def _write(self, outcomes: Sequence[Outcome], offset_ms: int) -> int:
        """Write all together; if somebody locks some, the others one by one. Returns how many."""
        with suppress(TimeoutError):
            return len(outcomes) - len(await self._completions.write_bisecting(outcomes, offset_ms))
        written, until = 0, time.monotonic() + RESCUE_TIMEOUT_S
        for outcome in outcomes:
            if time.monotonic() > until:
                break
            with suppress(TimeoutError):
                written += not await self._single.write_bisecting([outcome], offset_ms)
        return written

    def _decide(self, job: Document, worker_id: str) -> Outcome:
        function = self._engine.registry.get(job["functionName"])
        attempt = Attempt.of(job, keep_ms_of(function, self._engine.settings.purge_after_ms))
        errors = [event.get("error") or {} for event in job["timeline"]]
        times_lost = 1 + sum(error.get("name") == WORKER_LOST for error in errors)
        return attempt.on_worker_lost(function.kind if function else None, times_lost, worker_id)
