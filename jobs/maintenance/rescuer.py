"""Rescue of lost workers' jobs, guarded against false positives after outages."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.engine import Engine
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.claimed_jobs import LostJob, MalformedJob
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.registry import retention_ms_of
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.attempt import Attempt

BATCH_SIZE: Final = 500
RESCUE_TIMEOUT_S: Final = 5.0  # per write; the next sweep rescues the remaining jobs
SINGLE_WRITE_TIMEOUT_S: Final = 0.3  # per job, if some jobs of a batch are locked
NEVER: Final = float("-inf")

log = get_log(__name__)


def grace_ms(settings: Settings) -> int:
    """Return the grace period between the expiry of a lease and the rescue of its jobs.

    During an outage of MongoDB every lease expires, although no worker is lost. A heartbeat in
    flight may take its full timeout, and the next one is sent one interval later. The worker that
    declares others lost must itself have been healthy for the grace period.
    """
    return heartbeat_timeout_ms(settings) + round(1.5 * settings.heartbeat_ms)


def heartbeat_timeout_ms(settings: Settings) -> int:
    """Return the timeout of a heartbeat, short enough to retry before the lease expires."""
    return settings.lease_ms // 3


class HeartbeatHistory:
    """The current streak of successful heartbeats of this worker.

    A jump of the server's clock counts as a gap: it makes the leases of all other workers look
    expired.
    """

    def __init__(self, gap_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """`gap_s`: the maximum tolerated interval between heartbeats, or jump of the server's
        clock."""
        self._gap_s = gap_s
        self._now = now
        self._since = self._last = NEVER
        self._server_minus_host_s = 0.0

    def record(self, at: datetime) -> None:
        """Record a heartbeat that MongoDB acknowledged at server time `at`."""
        now = self._now()
        server_minus_host_s = at.timestamp() - now
        if (
            now - self._last > self._gap_s
            or abs(server_minus_host_s - self._server_minus_host_s) > self._gap_s
        ):
            self._since = now
        self._last, self._server_minus_host_s = now, server_minus_host_s

    def healthy_for(self, seconds: float) -> bool:
        """Return whether heartbeats have succeeded without a gap for the last `seconds`."""
        now = self._now()
        return now - self._last <= self._gap_s and now - self._since >= seconds


class WorkerRescuer:
    """Declares workers lost and rescues the jobs they hold."""

    def __init__(
        self, engine: Engine, workers: WorkerStore, own_id: str, heartbeats: HeartbeatHistory
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._own_id = own_id
        self._heartbeats = heartbeats
        self._grace_ms = grace_ms(engine.settings)
        self._outcome_store = OutcomeStore(engine.mongo, RESCUE_TIMEOUT_S, engine.store.poisoned)
        self._single = OutcomeStore(engine.mongo, SINGLE_WRITE_TIMEOUT_S, engine.store.poisoned)

    async def rescue(self) -> int:
        """Rescue the jobs of all lost workers; returns how many."""
        lost = await self._workers.find_unregistered_holders()
        if self._heartbeats.healthy_for(self._grace_ms / 1000):
            expired = await self._workers.find_expired(
                self._engine.settings.lease_ms + self._grace_ms
            )
            # If this worker's own lease looks expired, the server's clock has jumped.
            lost += [] if self._own_id in expired else expired
        # Expire all first: a lost leader's transaction may lock another lost worker's jobs.
        for worker_id in lost:
            await self._expire(worker_id)
        return sum([await self._rescue_from(worker_id) for worker_id in lost])

    async def _expire(self, worker_id: str) -> None:
        """Unregister a lost worker and kill its transactions.

        Unregistering comes first, so that a worker that is still alive detects its lost lease.
        """
        await self._workers.remove(worker_id)
        killed = await self._engine.mongo.sessions.kill_transactions(worker_id)
        log.warning("worker.lost", worker_id=worker_id, transactions=killed)

    async def _rescue_from(self, worker_id: str) -> int:
        rescued = 0
        try:
            while held := await self._engine.store.find_lost(worker_id, BATCH_SIZE):
                written = await self._rescue_jobs(held, worker_id)
                self._engine.notifier.notify(Signal.DUE)
                rescued += written
                if written < len(held):
                    break
        except (MongoError, TimeoutError) as error:
            log.warning("worker.not_rescued", worker_id=worker_id, error=str(error))
        log.warning("worker.rescued", worker_id=worker_id, jobs=rescued)
        return rescued

    async def _rescue_jobs(self, held: Sequence[LostJob | MalformedJob], worker_id: str) -> int:
        """Rescue jobs of a lost worker; returns how many. A malformed job fails."""
        outcomes: list[Outcome] = []
        failed = 0
        clock_time = await self._engine.clock.read()
        for job in held:
            if isinstance(job, MalformedJob):
                failed += await self._engine.store.poisoned.fail_malformed(job, clock_time)
            else:
                outcomes.append(self._decide(job, worker_id))
        return failed + (await self._write(outcomes, clock_time) if outcomes else 0)

    async def _write(self, outcomes: Sequence[Outcome], clock_time: ClockTime) -> int:
        """Write all at once or, if some are locked, one by one; returns how many were written."""
        with suppress(TimeoutError):
            return len(outcomes) - len(
                await self._outcome_store.write_or_fail_poisoned(outcomes, clock_time)
            )
        written, deadline = 0, time.monotonic() + RESCUE_TIMEOUT_S
        for outcome in outcomes:
            if time.monotonic() > deadline:
                break
            with suppress(TimeoutError):
                written += not await self._single.write_or_fail_poisoned([outcome], clock_time)
        return written

    def _decide(self, job: LostJob, worker_id: str) -> Outcome:
        function = self._engine.registry.get(job.claimed.function_name)
        attempt = Attempt(job.claimed, retention_ms_of(function, self._engine.settings))
        kind = function.kind if function else None
        return attempt.outcome_of_lost_worker(kind, job.times_lost, worker_id)
