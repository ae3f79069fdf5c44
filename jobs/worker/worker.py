"""A worker's lifecycle: registration, heartbeats, drain, unregistration."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Final

from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue
from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.consumer import Consumer
from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.async_tools.supervision import keep_running, run_all
from ostinato.jobs.async_tools.timeouts import response_timeout
from ostinato.jobs.dispatch.dispatcher import Dispatcher
from ostinato.jobs.dispatch.local_dispatch import LocalDispatcher
from ostinato.jobs.dispatch.queue_settings import QueueSettings
from ostinato.jobs.engine import Engine
from ostinato.jobs.function_counters import FunctionCounters, FunctionCounts
from ostinato.jobs.ids import new_id
from ostinato.jobs.logs import get_log
from ostinato.jobs.maintenance.election import (
    Candidate,
    CannotLead,
    Duty,
    LeaderElection,
    leader_lease_ms,
)
from ostinato.jobs.maintenance.outbox import OutboxConverter
from ostinato.jobs.maintenance.rescuer import HeartbeatHistory, WorkerRescuer, heartbeat_timeout_ms
from ostinato.jobs.maintenance.sweeper import Sweeper, build_sweeps
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.outbox import follow_external_inserts
from ostinato.jobs.mongo.sessions import worker_app_name
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.event_loop_monitor import EventLoopMonitor, LogFields
from ostinato.jobs.worker.executor import Executor
from ostinato.jobs.worker.reconciler import LeaseReconciler
from ostinato.jobs.worker.running_attempt import StopReason
from ostinato.jobs.worker_records import Heartbeat

SHUTDOWN_WRITE_S: Final = 2.0  # a shutdown must not wait for an unavailable MongoDB
MAX_HEARTBEAT_JOB_IDS: Final = 100
METRICS_EVERY_S: Final = 5.0  # a third of the usual scrape interval of Prometheus
MAX_OUTBOX_PAUSE_S: Final = 1.0  # after an outage: committed entries wait

log = get_log(__name__)


class LeaseLost(Exception):
    """This worker was declared lost; its jobs belong to other workers."""


class WorkerRuntime:
    """The components of one worker; built by `WorkerRuntime.open`."""

    def __init__(self, engine: Engine, worker_id: str) -> None:
        settings = engine.settings
        queue_name = f"{settings.redis_prefix}:queue"
        self.id = worker_id
        self.engine = engine
        self._redis = connect(settings.redis_url, queue_name)
        self.queue_settings = QueueSettings(
            engine.mongo, self._queues_changed, settings.owner_slot_share
        )
        self.executor = Executor(
            engine, worker_id, self.queue_settings, lambda: self._consumer.wake()
        )
        self._consumer = Consumer(
            lambda: connect(settings.redis_url, queue_name),
            self.executor.take_chunk,
            self.executor,
            lambda: engine.notifier.notify(Signal.DUE),
        )
        self._reconciler = LeaseReconciler(engine, worker_id, self.executor)
        self._loop_monitor = EventLoopMonitor(settings.lease_ms / 2000, self._describe)
        local = LocalDispatcher(engine.clock, self.executor)
        self._dispatcher = Dispatcher(
            engine, ChunkQueue(self._redis), engine.workers, self.queue_settings, local
        )
        self._heartbeats = HeartbeatHistory(settings.lease_ms / 2000)
        self._activity_counters = FunctionCounters(())  # what the metrics already contain
        rescuer = WorkerRescuer(engine, engine.workers, worker_id, self._heartbeats)
        self.sweeper = Sweeper(
            {"lost_workers": rescuer.rescue, **build_sweeps(engine)}, settings.sweep_ms
        )
        self._outbox = OutboxConverter(engine, self._dispatcher.wake)
        self._election = LeaderElection(
            engine.workers,
            Candidate(id=worker_id, lease_ms=leader_lease_ms(settings)),
            self._duties(),
            engine.notifier.is_reachable,
        )

    def _duties(self) -> tuple[Duty, ...]:
        """Return what this worker does while it is the leader."""
        return (
            partial(keep_running, "external inserts", self._follow_inserts),
            partial(keep_running, "outbox", self._outbox.run, max_pause_s=MAX_OUTBOX_PAUSE_S),
            partial(keep_running, "dispatcher", self._dispatcher.run, reraise=(CannotLead,)),
            partial(keep_running, "sweeper", self.sweeper.run),
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["WorkerRuntime"]:
        """Open a worker's connections and register it; unregister it on exit."""
        worker_id = new_id()
        async with Engine.open(settings, worker_app_name(worker_id)) as engine:
            worker = cls(engine, worker_id)
            await worker._register()
            try:
                yield worker
            finally:
                await worker.executor.close(0.0)  # if it was not drained
                await worker._leave()

    async def run(self) -> None:
        """Run until canceled; raises LeaseLost if declared lost."""
        await run_all(
            self._run_liveness,
            partial(keep_running, "leadership", self._election.run),
            partial(keep_running, "consumer", self._consumer.run),
            partial(keep_running, "queue settings", self.queue_settings.run),
            partial(keep_running, "function metrics", self._write_metrics),
        )

    async def _run_liveness(self) -> None:
        """Send heartbeats, and listen for signals and cancellations; raises LeaseLost."""
        beat = partial(keep_running, "heartbeat", self._beat, max_pause_s=0.1)
        await run_all(
            partial(beat, reraise=(LeaseLost,)),
            partial(keep_running, "notifier", self._listen),
            partial(keep_running, "reconciler", self._reconciler.run, max_pause_s=1.0),
            partial(keep_running, "event loop monitor", self._loop_monitor.run),
        )

    async def drain(self) -> None:
        """Wait for running jobs up to the drain timeout, then stop the rest.

        Meanwhile the worker sends heartbeats and stops canceled jobs.
        """
        await self._resign()
        drain_s = self.engine.settings.drain_timeout_ms / 1000
        closing = asyncio.create_task(self.executor.close(drain_s))
        liveness = asyncio.create_task(self._run_liveness())
        await asyncio.wait({closing, liveness}, return_when=asyncio.FIRST_COMPLETED)
        if liveness.done() and not liveness.cancelled():
            await self.abandon()
        await closing
        liveness.cancel()
        await asyncio.gather(liveness, return_exceptions=True)

    async def abandon(self) -> None:
        """Stop running attempts without writing outcomes: the jobs belong to other workers."""
        await self.executor.stop_all(StopReason.LEASE_LOST)

    async def _follow_inserts(self) -> None:
        dispatcher = self._dispatcher
        await follow_external_inserts(
            self.engine.mongo, dispatcher.wake, self._outbox.wake, lambda: dispatcher.is_busy
        )

    async def _listen(self) -> None:
        await self.engine.notifier.listen(self._on_signal)

    def _on_signal(self, signal: Signal) -> None:
        match signal:
            case Signal.DUE:
                self._dispatcher.wake()
            case Signal.WORK:
                self._consumer.wake()
            case Signal.QUEUES:
                self.queue_settings.wake()
            case Signal.CANCEL:
                self._reconciler.wake()

    def _queues_changed(self) -> None:
        self._dispatcher.wake()
        self._consumer.wake()

    async def _register(self) -> None:
        await self.queue_settings.refresh()
        settings = self.engine.settings
        await self.engine.workers.register(
            self.id,
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "version": _version(),
                "concurrency": settings.concurrency,
                "queues": list(settings.queues),
                "running": 0,
            },
        )
        log.info("worker.started", worker_id=self.id, concurrency=settings.concurrency)

    async def _beat(self) -> None:
        every_s = self.engine.settings.heartbeat_ms / 1000
        timeout_s = heartbeat_timeout_ms(self.engine.settings) / 1000
        while True:
            await asyncio.sleep(every_s)
            try:
                async with response_timeout(timeout_s):
                    at = await self.engine.workers.heartbeat(self.id, self._load())
                if at is None:
                    raise LeaseLost(self.id)
                self._heartbeats.record(at)
            except (MongoError, TimeoutError) as error:
                log.warning("heartbeat.failed", worker_id=self.id, error=str(error))

    async def _write_metrics(self) -> None:
        while True:
            await asyncio.sleep(METRICS_EVERY_S)
            await self._flush_metrics()

    async def _flush_metrics(self) -> None:
        """Store the counts of functions; if MongoDB does not answer, they are stored later."""
        engine, activity = self.engine, self._activity_counters
        activity.put_back(await _flush(engine.function_counters, engine.function_metrics.add))
        await _flush(activity, self._add_activity)

    async def _add_activity(self, counts: Mapping[str, FunctionCounts]) -> None:
        if counts:
            await self.engine.overview.activity.add(counts, await self.engine.clock.now())

    def _load(self) -> Heartbeat:
        return Heartbeat(
            running=self.executor.taken_slots,
            loop_lag_ms=self._loop_monitor.take_lag_ms(),
            job_ids=tuple(islice(self.executor.attempts, MAX_HEARTBEAT_JOB_IDS)),
            unwritable=tuple(self.engine.store.poisoned.unwritable()),
        )

    def _describe(self, task_name: str) -> LogFields:
        running = self.executor.attempts.get(task_name.removeprefix("job-"))
        if running is None:
            return {"task": task_name}
        attempt = running.attempt
        return {
            "function": attempt.function_name,
            "job_id": attempt.job_id,
            "attempt": attempt.number,
        }

    async def _resign(self) -> None:
        with suppress(MongoError, TimeoutError):
            async with asyncio.timeout(SHUTDOWN_WRITE_S):
                await self._election.resign()

    async def _leave(self) -> None:
        try:
            await asyncio.gather(self._resign(), self._flush_metrics())
            with suppress(MongoError, TimeoutError):
                async with asyncio.timeout(SHUTDOWN_WRITE_S):
                    await self.engine.workers.remove(self.id)
                    self.engine.notifier.notify(Signal.DUE)
        finally:
            await close(self._redis)
            log.info("worker.stopped", worker_id=self.id)


async def _flush(
    counters: FunctionCounters, add: Callable[[Mapping[str, FunctionCounts]], Awaitable[None]]
) -> Mapping[str, FunctionCounts]:
    """Store counts and return them; none if MongoDB does not answer: `counters` keep them."""
    counts = counters.take()
    try:
        async with response_timeout(SHUTDOWN_WRITE_S):
            await add(counts)
    except (MongoError, TimeoutError) as error:
        counters.put_back(counts)
        log.warning("function_metrics.not_written", error=str(error))
        return {}
    return counts


def _version() -> str:
    try:
        return version("ostinato")
    except PackageNotFoundError:
        return "unknown"
