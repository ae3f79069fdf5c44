"""One life of a worker, from its registration until it is told to stop or is declared lost."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Final

from ostinato.jobs.engine import Engine
from ostinato.jobs.fleet import Load
from ostinato.jobs.ids import new_id
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.lost_sessions import app_name
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.queue.chunks import Chunks
from ostinato.jobs.queue.connection import connect
from ostinato.jobs.queue.consumer import Consumer
from ostinato.jobs.queue.doorbell import Bell
from ostinato.jobs.settings import Settings
from ostinato.jobs.supervision import keep_running
from ostinato.jobs.waiting import answered_within, run_together
from ostinato.jobs.worker.at_hand import AtHand
from ostinato.jobs.worker.beats import Beats
from ostinato.jobs.worker.dispatcher import Dispatcher
from ostinato.jobs.worker.executor import Ending, Executor
from ostinato.jobs.worker.leader import CannotLead, Leadership, lead_ms
from ostinato.jobs.worker.loop_watch import About, LoopWatch
from ostinato.jobs.worker.lost_workers import LostWorkers, answer_ms
from ostinato.jobs.worker.queue_watch import QueueWatch
from ostinato.jobs.worker.repairs import repairs_of
from ostinato.jobs.worker.sweeper import Sweeper
from ostinato.jobs.worker.watch import Watch

LAST_WORDS_S: Final = 2.0  # to leave without delay even if MongoDB is away
JOBS_SAID: Final = 100  # a heartbeat names no more of what runs

log = get_log(__name__)


class Deposed(Exception):
    """This worker was declared lost, and its jobs are others' by now."""


class Worker:
    """Everything one worker runs; built by `Worker.open`."""

    def __init__(self, engine: Engine, worker_id: str) -> None:
        settings = engine.settings
        queue_name = f"{settings.redis_prefix}:queue"
        self.id = worker_id
        self.engine = engine
        self._store = WorkerStore(engine.mongo)
        self._redis = connect(settings.redis_url, queue_name)
        self.queues = QueueWatch(engine.mongo, self._queues_changed)
        self.executor = Executor(engine, worker_id, self.queues, lambda: self._consumer.wake())
        self._consumer = Consumer(
            lambda: connect(settings.redis_url, queue_name),
            self.executor.take_chunk,
            self.executor.has_room,
            lambda: engine.doorbell.ring(Bell.DUE),
        )
        self._watch = Watch(engine, worker_id, self.executor)
        self._loop_watch = LoopWatch(settings.lease_ms / 2000, self._describe)
        at_hand = AtHand(engine, self.executor)
        self._dispatcher = Dispatcher(
            engine, Chunks(self._redis), self._store, self.queues, at_hand
        )
        self._beats = Beats(settings.lease_ms / 2000)
        lost = LostWorkers(engine, self._store, worker_id, self._beats)
        self.sweeper = Sweeper(
            {"lost_workers": lost.reclaim, **repairs_of(engine)}, settings.sweep_ms
        )
        duties = (
            partial(keep_running, "dispatcher", self._dispatcher.run, passes=(CannotLead,)),
            partial(keep_running, "sweeper", self.sweeper.run),
        )
        self._leadership = Leadership(
            self._store, worker_id, lead_ms(settings), duties, engine.doorbell.answers
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Worker"]:
        """Register a worker with connections of its own; leave in good order at the end."""
        worker_id = new_id()
        async with Engine.open(settings, app_name(worker_id)) as engine:
            worker = cls(engine, worker_id)
            await worker._register()
            try:
                yield worker
            finally:
                await worker.executor.close(0.0)  # if nobody has drained it
                await worker._leave()

    async def run(self) -> None:
        """Work until cancelled; raises Deposed when it has been declared lost."""
        await run_together(
            self._keep_up,
            partial(keep_running, "leadership", self._leadership.run),
            partial(keep_running, "consumer", self._consumer.run),
            partial(keep_running, "queue watch", self.queues.run),
        )

    async def _keep_up(self) -> None:
        """Do what holds the jobs that run; raises Deposed."""
        beat = partial(keep_running, "heartbeat", self._beat, longest_pause_s=0.1)
        await run_together(
            partial(beat, passes=(Deposed,)),
            partial(keep_running, "doorbell", self._listen),
            partial(keep_running, "watch", self._watch.run, longest_pause_s=1.0),
            partial(keep_running, "loop watch", self._loop_watch.run),
        )

    async def drain(self) -> None:
        """Let running jobs finish, up to the deadline; hand the rest back to `pending`.

        Meanwhile the worker goes on to say that it lives, and to hear who is to be stopped.
        """
        await self._resign()
        patience_s = self.engine.settings.drain_timeout_ms / 1000
        closing = asyncio.create_task(self.executor.close(patience_s))
        upkeep = asyncio.create_task(self._keep_up())
        await asyncio.wait({closing, upkeep}, return_when=asyncio.FIRST_COMPLETED)
        if upkeep.done() and not upkeep.cancelled():
            await self.abandon()
        await closing
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)

    async def abandon(self) -> None:
        """Stop what runs without writing a word of it: the jobs are others' by now."""
        await self.executor.end_all(Ending.LOST)

    async def _listen(self) -> None:
        await self.engine.doorbell.listen(self._heard)

    def _heard(self, bell: Bell) -> None:
        match bell:
            case Bell.DUE:
                self._dispatcher.wake()
            case Bell.WORK:
                self._consumer.wake()
            case Bell.QUEUES:
                self.queues.wake()
            case Bell.CANCEL:
                self._watch.wake()

    def _queues_changed(self) -> None:
        self._dispatcher.wake()
        self._consumer.wake()

    async def _register(self) -> None:
        await self.queues.read()
        settings = self.engine.settings
        await self._store.register(
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
        answer_s = answer_ms(self.engine.settings) / 1000
        while True:
            await asyncio.sleep(every_s)
            try:
                async with answered_within(answer_s):
                    at = await self._store.beat(self.id, self._load())
                if at is None:
                    raise Deposed(self.id)
                self._beats.answered(at)
            except (MongoError, TimeoutError) as error:
                log.warning("heartbeat.failed", worker_id=self.id, error=str(error))

    def _load(self) -> Load:
        return Load(
            running=self.executor.slots.taken,
            loop_lag_ms=self._loop_watch.take_lag_ms(),
            job_ids=tuple(islice(self.executor.running, JOBS_SAID)),
            unwritable=tuple(self.engine.store.poisoned.unwritable()),
        )

    def _describe(self, task_name: str) -> About:
        running = self.executor.running.get(task_name.removeprefix("job-"))
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
            async with asyncio.timeout(LAST_WORDS_S):
                await self._leadership.resign()

    async def _leave(self) -> None:
        await self._resign()
        with suppress(MongoError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._store.remove(self.id)
                self.engine.doorbell.ring(Bell.DUE)
        await self._redis.aclose(close_connection_pool=True)
        log.info("worker.stopped", worker_id=self.id)


def _version() -> str:
    try:
        return version("ostinato")
    except PackageNotFoundError:
        return "unknown"
