"""Rescues the jobs of workers that have stopped, without taking those of healthy ones."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
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

BATCH_SIZE: Final = 500
RESCUE_TIMEOUT_S: Final = 5.0  # for one write of one worker's jobs; the next sweep takes the rest
SINGLE_WRITE_TIMEOUT_S: Final = 0.3  # for one of several jobs, some of which are locked
NEVER: Final = float("-inf")

log = get_log(__name__)


def grace_ms(settings: Settings) -> int:
    """Return how long after its lease a worker may still be alive.

    After an outage of MongoDB every lease has expired, though no worker is lost. A heartbeat may
    have been waiting until its timeout, and the next follows one interval later. The worker that
    declares others lost must itself have been healthy for this long.
    """
    return heartbeat_timeout_ms(settings) + round(1.5 * settings.heartbeat_ms)


def heartbeat_timeout_ms(settings: Settings) -> int:
    """Return how long a heartbeat may take: a dead connection must not cost the lease."""
    return settings.lease_ms // 3


class HeartbeatHistory:
    """Records since when this worker's heartbeats have succeeded without a gap.

    A jump of the server's clock counts as a gap too: by that clock, all other workers seem to have
    stopped.
    """

    def __init__(self, gap_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """`gap_s` is the longest interval between heartbeats, or jump of the clock, that is
        tolerated."""
        self._gap_s = gap_s
        self._now = now
        self._since = self._last = NEVER
        self._ahead = 0.0

    def record(self, at: datetime) -> None:
        """Record a heartbeat that MongoDB acknowledged at `at` by its own clock."""
        now = self._now()
        ahead = at.timestamp() - now
        if now - self._last > self._gap_s or abs(ahead - self._ahead) > self._gap_s:
            self._since = now
        self._last, self._ahead = now, ahead

    def healthy_for(self, seconds: float) -> bool:
        """Return whether heartbeats have succeeded for that long, up to now."""
        now = self._now()
        return now - self._last <= self._gap_s and now - self._since >= seconds


class WorkerRescuer:
    """Declares workers lost and takes back the jobs that they hold."""

    def __init__(
        self, engine: Engine, workers: WorkerStore, own_id: str, heartbeats: HeartbeatHistory
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._own_id = own_id
        self._heartbeats = heartbeats
        self._grace_ms = grace_ms(engine.settings)
        self._completions = Completions(engine.mongo, RESCUE_TIMEOUT_S, engine.store.poisoned)
        self._single = Completions(engine.mongo, SINGLE_WRITE_TIMEOUT_S, engine.store.poisoned)

    async def rescue(self) -> int:
        """Rescue the jobs of all lost workers; returns how many."""
        lost = await self._workers.find_unregistered_holders()
        if self._heartbeats.healthy_for(self._grace_ms / 1000):
            expired = await self._workers.find_expired(
                self._engine.settings.lease_ms + self._grace_ms
            )
            # If its own lease seems to have expired, the server's clock has jumped.
            lost += [] if self._own_id in expired else expired
        # All of them first: a lost leader may have locked jobs of another lost worker.
        for worker_id in lost:
            await self._expire(worker_id)
        return sum([await self._rescue_from(worker_id) for worker_id in lost])

    async def _expire(self, worker_id: str) -> None:
        """Remove its heartbeat first, so that a worker that is still alive learns of it."""
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
        """Take back jobs of a lost worker; returns how many. A job that cannot be read fails."""
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
        """Write all at once or, if some are locked, one by one; returns how many were written."""
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
