"""Puts due jobs into the queue, as many as the fleet has room for; wakes at the next due time."""

import asyncio
from datetime import datetime
from typing import Final

from jobs.engine import Engine
from jobs.logs import get_log
from jobs.mongo.client import MongoError
from jobs.mongo.workers import WorkerStore
from jobs.queue.chunks import Chunks
from jobs.queue.connection import RedisFailure
from jobs.queue.doorbell import Bell
from jobs.waiting import wait_for_event

CHUNK_SIZE: Final = 250  # as many as one completion looks up
FALLBACK_S: Final = 1.0  # how late a due job is noticed whose ring was lost
FLEET_EVERY_S: Final = 1.0

log = get_log(__name__)


class Dispatcher:
    """Runs in the one worker that leads. A second one would only do the work twice."""

    def __init__(self, engine: Engine, chunks: Chunks, workers: WorkerStore) -> None:
        self._engine = engine
        self._chunks = chunks
        self._workers = workers
        self._wake = asyncio.Event()
        self._slots = 0
        self._fleet_size = 1
        self._fleet_read_at = -FLEET_EVERY_S

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            wait_s = FALLBACK_S
            try:
                next_at = await self.dispatch()
                if next_at is not None:
                    until = (next_at - await self._engine.clock.now()).total_seconds()
                    wait_s = min(FALLBACK_S, max(0.0, until))
            except RedisFailure as error:
                log.warning("dispatch.failed", error=str(error))
            except MongoError as error:
                log.warning("dispatch.failed", error=str(error))
            await wait_for_event(self._wake, wait_s)

    async def dispatch(self) -> datetime | None:
        """Fill the queue once; returns when the next job is due, if that is known."""
        await self._read_fleet()
        waiting, excluded = await self._chunks.outstanding()
        room = 2 * self._slots - waiting  # the next are there when a slot becomes free
        if room <= 0:
            return None
        due = await self._engine.store.due(await self._engine.clock.now(), room, excluded)
        size = min(CHUNK_SIZE, -(-len(due.ids) // self._fleet_size) or 1)
        for start in range(0, len(due.ids), size):
            await self._chunks.put(due.ids[start : start + size], due.more)
        if due.ids:
            await self._engine.doorbell.ring(Bell.WORK)
        return due.next_at

    async def _read_fleet(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._fleet_read_at < FLEET_EVERY_S:
            return
        fleet = await self._workers.fleet()
        self._slots, self._fleet_size = fleet.slots, max(1, fleet.workers)
        self._fleet_read_at = now
