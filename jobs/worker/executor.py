"""Runs claimed jobs, each in its own task and slot."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from cachetools import LRUCache

from ostinato.jobs.arq_queue.chunk_queue import Chunk, SlotsAcquired
from ostinato.jobs.arq_queue.notifier import NOTIFY_WITHIN, Signal
from ostinato.jobs.async_tools.cancellation import clear_cancellation
from ostinato.jobs.async_tools.timeouts import Deadlines
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.lanes import Lane
from ostinato.jobs.lifecycle import TRANSITIONS, TransitionName
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.claimed_jobs import ClaimedJob, MalformedJob
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import FunctionKind, JobState
from ostinato.jobs.registry import retention_ms_of
from ostinato.jobs.retry import Random
from ostinato.jobs.rights import CLIENT_CAUSES, describe_role_lost, has_role_for, requires_role
from ostinato.jobs.tracing import tracing
from ostinato.jobs.transactions.grouped_mutations import GroupedMutations
from ostinato.jobs.transactions.shared_transactions import SharedTransactions
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.claims import Claimer
from ostinato.jobs.worker.function_runner import FunctionRunner
from ostinato.jobs.worker.function_stats import FunctionStats, SharingClass
from ostinato.jobs.worker.job_log_writer import JobLogWriter
from ostinato.jobs.worker.outcome_writer import GIVEN_UP, OutcomeWriter, log_unwritten
from ostinato.jobs.worker.progress import ProgressReport
from ostinato.jobs.worker.running_attempt import AttemptKey, RunningAttempt, StopReason
from ostinato.jobs.worker.slots import ClaimSlots, Slot, Slots
from ostinato.jobs.worker.stored_errors import stored_error

CLAIM_DRAIN_S: Final = 1.0  # for claims in flight at shutdown
STOP_TIMEOUT_S: Final = 2.0  # for a canceled function to clean up
SHUTDOWN_WRITE_S: Final = 2.0  # if MongoDB is unavailable, the lease expires instead
MAX_UNKNOWN_OUTCOMES: Final = 10_000

log = get_log(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOptions:
    """What a test makes deterministic."""

    stats: FunctionStats = field(default_factory=FunctionStats)
    draw: Random = random.random
    """Draws the jitter of retries."""


class Executor:
    """Claims and runs jobs, writes their outcomes, and stops them on request."""

    def __init__(
        self,
        engine: Engine,
        worker_id: str,
        queue_settings: QueueSettings,
        slot_freed: Callable[[], None],
        options: RunnerOptions | None = None,
    ) -> None:
        outcome_store = OutcomeStore(engine.mongo, poisoned=engine.store.poisoned)
        options = options or RunnerOptions()
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._slot_freed = slot_freed
        self._shared_transactions = {
            sharing_class: SharedTransactions(engine.mongo, outcome_store)
            for sharing_class in (SharingClass.ANY, SharingClass.CONTENDED)
        }
        self._grouped = GroupedMutations(engine.transactor)
        self._job_logs = JobLogWriter(engine)
        self._runner = FunctionRunner(
            engine=engine,
            job_logs=self._job_logs,
            loop=self._loop,
            deadlines=Deadlines(self._loop),
            outcome_store=outcome_store,
            shared_transactions=self._shared_transactions,
            grouped=self._grouped,
            stats=options.stats,
            draw=options.draw,
        )
        self._outcome_writer = OutcomeWriter(outcome_store, engine.clock, self._notify_if_due)
        slots = engine.settings.concurrency
        self.slots = Slots(slots, engine.registry, lambda: queue_settings.owner_limit(slots))
        self._claimer = Claimer(engine, worker_id, queue_settings, self.slots, self._start_claimed)
        self.attempts: dict[str, RunningAttempt] = {}
        self._handing_back: dict[asyncio.Task[bool], str] = {}
        self._unknown_outcomes: LRUCache[AttemptKey, Outcome] = LRUCache(MAX_UNKNOWN_OUTCOMES)
        self._is_closing = False

    @property
    def in_transit(self) -> set[str]:
        """Jobs whose claim or hand-back is in flight."""
        claimed = {job_id for ids in self._claimer.pending.values() for job_id in ids}
        return claimed | set(self._handing_back.values())

    @property
    def taken_slots(self) -> int:
        return self.slots.taken

    def holds(self, job_id: str) -> bool:
        return job_id in self.attempts

    def has_free_slot(self, lane: Lane | None) -> bool:
        """Return whether a slot is free; with a lane, for a job of that lane."""
        is_serving = self._claimer.is_serving
        return self.slots.has_free_slot(lane) and (lane is None or is_serving(lane))

    def free_starts_of(self, owner_tag: str) -> int:
        """Return how many jobs of an owner may start."""
        return self.slots.free_starts_of(owner_tag)

    async def take_chunk(
        self, chunk: Chunk, slots_acquired: SlotsAcquired = lambda number: None
    ) -> bool:
        """Claim and start a chunk's jobs; return whether to signal the dispatcher."""
        return await self._claimer.take_chunk(chunk, slots_acquired)

    async def wait_until_idle(self) -> None:
        """Wait until the running attempts have ended, and their outcomes and logs are written."""
        while tasks := [running.task for running in self.attempts.values()]:
            await asyncio.wait(tasks)
        await self._job_logs.wait_until_stored()

    async def close(self, drain_s: float) -> None:
        """Wait up to `drain_s` seconds for running jobs, then stop the rest.

        A second call does nothing.
        """
        if self._is_closing:
            return
        self._is_closing = True
        await _wait(self._claimer.pending, CLAIM_DRAIN_S)
        await _wait((running.task for running in self.attempts.values()), drain_s)
        await self.stop_all(StopReason.SHUTDOWN)
        try:
            async with asyncio.timeout(SHUTDOWN_WRITE_S):
                outcomes = [
                    one.outcome_after_stop(self._kind_of(one.attempt)) for one in self._executing()
                ]
                final_writes = [self._outcome_writer.write(one) for one in outcomes if one]
                await asyncio.gather(
                    self._outcome_writer.close(),
                    self._job_logs.wait_until_stored(),
                    *final_writes,
                )
                returned = (one.task for one in self.attempts.values() if one.has_returned)
                await asyncio.gather(*returned, *self._handing_back, return_exceptions=True)
                await asyncio.gather(
                    self._grouped.close(),
                    *(shared.close() for shared in self._shared_transactions.values()),
                )
        except TimeoutError:
            self._report_unwritten()

    def _report_unwritten(self) -> None:
        """Log the outcomes that MongoDB has not acknowledged when the worker exits."""
        for running in self.attempts.values():
            if running.outcome is not None and not running.is_written:
                error = f"MongoDB did not acknowledge it within {SHUTDOWN_WRITE_S:g} s"
                log_unwritten(GIVEN_UP, running.outcome, error)

    async def stop_all(self, why: StopReason) -> None:
        """Cancel all running attempts and wait up to STOP_TIMEOUT_S for them to stop."""
        stopping = self._executing()
        for running in stopping:
            running.cancel(why)
        await _wait((running.task for running in stopping), STOP_TIMEOUT_S)
        for running in self._executing():
            log.warning("attempt.unresponsive", job_id=running.attempt.job_id)

    def hand_back_claim(self, key: AttemptKey, retention_ms: int) -> "asyncio.Task[bool]":
        """Hand back an attempt that this worker has claimed but is not running.

        If the attempt has run here, its outcome was never stored, and the job must not run again,
        writes its failure instead.
        """
        job_id, attempt = key
        unstarted = Outcome(
            job_id=job_id,
            attempt=attempt,
            transition=TransitionName.HAND_BACK,
            retention_ms=retention_ms,
        )
        outcome = self._unknown_outcomes.get(key, unstarted)
        task = asyncio.create_task(self._outcome_writer.write(outcome), name=f"hand-back-{job_id}")
        self._handing_back[task] = job_id
        task.add_done_callback(self._handing_back.pop)
        return task

    def _executing(self) -> list[RunningAttempt]:
        return [running for running in self.attempts.values() if not running.has_returned]

    def _notify_if_due(self, written: Sequence[Outcome]) -> None:
        """Signal the dispatcher if one of the jobs is due again soon, or its hook is due."""
        if any(map(_is_due_soon, written)):
            self._engine.notifier.notify(Signal.DUE)

    async def _start_claimed(self, job: ClaimedJob | MalformedJob, claim_slots: ClaimSlots) -> None:
        if isinstance(job, MalformedJob):
            claim_slots.release(job.id)
            clock_time = await self._engine.clock.read()
            await self._engine.store.poisoned.fail_malformed(job, clock_time)
            return
        function = self._engine.registry.get(job.function_name)
        attempt = Attempt(job, retention_ms_of(function, self._engine.settings))
        if self._is_closing:
            claim_slots.release(job.id)
            await self._outcome_writer.write(attempt.outcome_of_hand_back())
        else:
            self._start(attempt, claim_slots.hand_over(job.id))

    def _start(self, attempt: Attempt, slot: Slot) -> None:
        task = self._loop.create_task(self._run(attempt), name=f"job-{attempt.job_id}")
        running = RunningAttempt(attempt, task, slot)
        self.attempts[attempt.job_id] = running
        task.add_done_callback(lambda _: self._finished(running))

    def _finished(self, running: RunningAttempt) -> None:
        if self.attempts.get(running.attempt.job_id) is running:
            del self.attempts[running.attempt.job_id]
        if running.is_slot_free:
            self.slots.outcome_written()
        else:
            self.slots.release(running.slot)
        self._slot_freed()
        if running.has_started and not running.is_written:
            self._keep_unknown_outcome(running.attempt)

    def _keep_unknown_outcome(self, attempt: Attempt) -> None:
        """Record the outcome for `hand_back_claim`, in case the attempt still holds the job.

        That it no longer does may have been a stale read during a failover.
        """
        # None for a mutation: either it has committed its success, or it may run again.
        outcome = attempt.outcome_of_lost_write(self._kind_of(attempt))
        if outcome is not None:
            self._unknown_outcomes[attempt.job_id, attempt.number] = outcome

    def _kind_of(self, attempt: Attempt) -> FunctionKind:
        function = self._engine.registry.get(attempt.function_name)
        return function.kind if function else FunctionKind.ACTION

    async def _run(self, attempt: Attempt) -> None:
        running = self.attempts[attempt.job_id]
        running.has_started = True
        with tracing.attempt(attempt.claimed) as record:
            outcome = await self._run_to_outcome(running)
            record(outcome)
        if outcome is not None:
            running.outcome = outcome
            self._release(running)
            if running.task.cancelling():
                await clear_cancellation()
            await self._write(running, outcome)
        with suppress(MongoError, OstinatoError):  # queued ticks also poll
            await self._engine.release_queued_tick(attempt.function_name, attempt.claimed.cause)

    def _release(self, running: RunningAttempt) -> None:
        """Free the slot of an attempt whose function has returned."""
        if not running.is_slot_free:
            running.is_slot_free = True
            self.slots.release_returned(running.slot)
            self._slot_freed()

    async def _write(self, running: RunningAttempt, outcome: Outcome) -> None:
        while True:
            try:
                running.is_written = await self._outcome_writer.write(outcome)
                return
            except asyncio.CancelledError:
                if self._is_closing:
                    raise
                # User code may cancel its own task late, or every task of the process.
                await clear_cancellation()

    async def _run_to_outcome(self, running: RunningAttempt) -> Outcome | None:
        attempt = running.attempt
        if running.stop_reason is not None:
            return running.outcome_before_start()
        if await self._engine.store.is_timeline_full(attempt.job_id, attempt.claimed.version):
            return attempt.outcome_of_full_timeline()
        if (failure := await self._outcome_of_lost_role(attempt)) is not None:
            return failure
        progress = ProgressReport(self._engine.store, attempt.job_id, attempt.number)
        began = time.monotonic()
        try:
            outcome = await self._runner.run(attempt, progress, partial(self._release, running))
        except asyncio.CancelledError as error:
            if running.is_stopping:
                return running.outcome_after_stop(self._kind_of(attempt))
            outcome = self._runner.on_self_cancellation(attempt, error)
        finally:
            self._count(attempt.claimed, time.monotonic() - began)
        if outcome is None or progress.unwritten is None:
            return outcome
        return outcome._replace(progress=progress.unwritten)

    def _count(self, claimed: ClaimedJob, run_s: float) -> None:
        counts = self._engine.function_counters.of(claimed.function_name)
        counts.run_time.observe(run_s)
        if claimed.started_at is not None:
            late = claimed.started_at - claimed.scheduled_time
            counts.lateness.observe(max(0.0, late.total_seconds()))

    async def _outcome_of_lost_role(self, attempt: Attempt) -> Outcome | None:
        """Return the failure of a client's job whose owner has lost the function's role."""
        claimed, function = attempt.claimed, self._engine.registry.get(attempt.function_name)
        if function is None or claimed.owner is None or claimed.cause.kind not in CLIENT_CAUSES:
            return None
        if not requires_role(function):
            return None
        try:
            owner = await self._engine.owners.find(claimed.owner)
        except MongoError:
            return attempt.outcome_of_hand_back()
        if has_role_for(function, owner):
            return None
        lost = describe_role_lost(function, claimed.owner)
        remedy = "sign in as that user with the role, then retry the job"
        return attempt.outcome_of_failure(stored_error("RoleLost", f"{lost}: {remedy}"))


def _is_due_soon(outcome: Outcome) -> bool:
    if outcome.transition is TransitionName.FAIL:
        return True  # a job may call its hooks
    if TRANSITIONS[outcome.transition].target is not JobState.PENDING:
        return False
    return outcome.due_at is not None or timedelta(milliseconds=outcome.delay_ms) < NOTIFY_WITHIN


async def _wait(tasks: "Iterable[asyncio.Task[Any]]", timeout_s: float) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=timeout_s)
