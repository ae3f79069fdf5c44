"""Puts due jobs into the queue, as many as the fleet has room for; wakes at the next due time."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, Waiting
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.workers import Fleet, WorkerStore
from ostinato.jobs.queue.chunks import Chunks, Outstanding
from ostinato.jobs.queue.connection import RedisFailure, remedy
from ostinato.jobs.queue.doorbell import Bell
from ostinato.jobs.waiting import wait_for_event
from ostinato.jobs.worker.at_hand import AtHand
from ostinato.jobs.worker.leader import CannotLead, lead_ms
from ostinato.jobs.worker.queue_watch import QueueWatch
from ostinato.jobs.worker.selection import Demand, share
from ostinato.jobs.worker.survey import Survey, Surveyor

CHUNK_SIZE: Final = 250  # as many as one completion looks up
FALLBACK_S: Final = 1.0  # how late a due job is noticed whose ring was lost
FLEET_EVERY_S: Final = 1.0

log = get_log(__name__)


class Dispatcher:
    """Runs in the one worker that leads. A second one would only do the work twice."""

    def __init__(
        self,
        engine: Engine,
        chunks: Chunks,
        workers: WorkerStore,
        queues: QueueWatch,
        at_hand: AtHand,
    ) -> None:
        self._engine = engine
        self._chunks = chunks
        self._workers = workers
        self._queues = queues
        self._at_hand = at_hand
        self._surveyor = Surveyor(engine)
        self._wake = asyncio.Event()
        self._fleet = Fleet(())
        self._fleet_read_at = -FLEET_EVERY_S
        self._served: dict[str, float] = {}
        self._failing_since: float | None = None
        """Since when Redis has failed every look, by the loop's clock."""
        self._failures = RepeatedWarning(log, "dispatch.failed")

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Dispatch for ever; raises CannotLead when Redis has failed for the length of a lead."""
        self._failing_since = None
        try:
            while True:
                self._wake.clear()
                wait_s = await self._try_to_dispatch()
                await wait_for_event(self._wake, wait_s)
        finally:
            await self._at_hand.close()

    async def dispatch(self) -> datetime | None:
        """Fill the queue once; returns when the next job is due, if that is known."""
        await self._read_fleet()
        waiting = await self._chunks.outstanding(self._queues.is_paused)
        outstanding = self._at_hand.added_to(waiting)
        room = 2 * self._fleet.slots() - outstanding.total  # the next are there when a slot is free
        if room <= 0:
            return None
        now = await self._engine.clock.now()
        surveys = await self._survey(self._at_hand.horizon(now), room, outstanding)
        if not self._take_alone(list(surveys.values())):
            surveys = {queue: survey.due_by(now) for queue, survey in surveys.items()}
            await self._share(surveys, room, outstanding.total)
        return min((one.next_at for one in surveys.values() if one.next_at), default=None)

    async def _try_to_dispatch(self) -> float:
        """Dispatch; gives how long there is nothing to do then, in seconds."""
        try:
            next_at = await self.dispatch()
            self._failing_since = None
            if next_at is not None:
                now = await self._engine.clock.now()
                wait = self._at_hand.look_at(next_at, now) - now
                return min(FALLBACK_S, max(0.0, wait.total_seconds()))
        except MongoError as error:
            self._failing_since = None
            self._failures.write(error)
        except RedisFailure as error:
            self._redis_failed(error)
        return FALLBACK_S

    def _redis_failed(self, error: Exception) -> None:
        fix = remedy(error)
        self._failures.write(error, fix=fix)
        now = asyncio.get_running_loop().time()
        self._failing_since = since = now if self._failing_since is None else self._failing_since
        if now - since >= lead_ms(self._engine.settings) / 1000:
            raise CannotLead(str(error), fix)

    def _take_alone(self, surveys: Sequence[Survey]) -> bool:
        """Run the only job here, if this worker has nothing else to do."""
        jobs = [job for survey in surveys for job in survey.jobs]
        if len(jobs) != 1 or any(survey.more for survey in surveys):
            return False
        if not self._at_hand.takes(jobs[0]):
            return False
        self._at_hand.take(jobs[0]).add_done_callback(self._taken)
        return True

    def _taken(self, task: "asyncio.Task[bool]") -> None:
        if task.cancelled():
            return
        if error := task.exception():
            log.error("at_hand.failed", error=str(error), exc_info=error)
        elif task.result():
            self.wake()

    async def _share(self, surveys: Mapping[str, Survey], room: int, outstanding: int) -> None:
        """Put what was found into the queue, by the weights of the queues."""
        demands = {
            queue: Demand(len(survey.jobs), self._queues.weight_of(queue))
            for queue, survey in surveys.items()
        }
        shares = share(room, demands, self._served)
        self._served = shares.served
        busy = outstanding + sum(shares.given.values()) >= self._fleet.slots()
        for queue, survey in surveys.items():
            # Once all are busy, what comes next waits for word that there is room again.
            await self._put(queue, survey.jobs[: shares.given[queue]], busy or survey.more)
        if any(shares.given.values()):
            self._engine.doorbell.ring(Bell.WORK)

    async def _survey(
        self, now: datetime, room: int, outstanding: Outstanding
    ) -> dict[str, Survey]:
        rooms = {
            queue: min(room, 2 * self._fleet.slots(queue) - outstanding.of_queue(queue))
            for queue in self._fleet.queues()
            if not self._queues.is_paused(queue)
        }
        open_queues = [queue for queue, room_there in rooms.items() if room_there > 0]
        self._surveyor.skipped = self._fleet.unwritable() | self._engine.store.poisoned.unwritable()
        surveys = await asyncio.gather(
            *(self._look(queue, now, rooms[queue], outstanding) for queue in open_queues)
        )
        found = zip(open_queues, surveys, strict=True)
        return {queue: survey for queue, survey in found if survey is not None}

    async def _look(
        self, queue: str, now: datetime, room: int, outstanding: Outstanding
    ) -> Survey | None:
        size = self._fleet.size(queue)
        try:
            return await self._surveyor.look(queue, now, room, size, outstanding.ids)
        except (*RedisFailure, MongoError):
            raise
        except Exception:  # a duty of the dispatcher: the other queues go on
            log.exception("queue.not_dispatched", queue=queue)
            return None

    async def _put(self, queue: str, jobs: Sequence[Waiting], more: bool) -> None:
        by_gate: dict[Lane, list[str]] = {}
        for job in jobs:
            by_gate.setdefault(job.lane.gate, []).append(job.id)
        for gate, ids in by_gate.items():
            size = self._size_of(gate, len(ids))
            for start in range(0, len(ids), size):
                part = ids[start : start + size]
                await self._chunks.put(part, more or gate.function is not None, gate)
        if jobs:
            self._surveyor.served(queue, jobs[-1])

    def _size_of(self, gate: Lane, ids: int) -> int:
        size = min(CHUNK_SIZE, -(-ids // max(1, self._fleet.size(gate.queue))))
        function = self._engine.registry.get(gate.function) if gate.function else None
        return min(size, function.concurrency or size) if function else size

    async def _read_fleet(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._fleet_read_at < FLEET_EVERY_S:
            return
        self._fleet = await self._workers.fleet()
        self._fleet_read_at = now
