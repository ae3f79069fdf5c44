"""Caches the queues' weights and paused flags; refreshed on a signal and every second."""

import asyncio
from collections.abc import Callable
from typing import Final

from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.lanes import Queue
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Mongo, MongoError
from ostinato.jobs.mongo.queues import QueueStore

REFRESH_INTERVAL_S: Final = 1.0

log = get_log(__name__)


class QueueSettings:
    def __init__(self, mongo: Mongo, changed: Callable[[], None]) -> None:
        self._store = QueueStore(mongo)
        self._changed = changed
        self._queues: dict[str, Queue] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    def is_paused(self, queue: str) -> bool:
        found = self._queues.get(queue)
        return found is not None and found.paused

    def weight_of(self, queue: str) -> int:
        found = self._queues.get(queue)
        return found.weight if found else 1

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.refresh()
            except MongoError as error:
                log.warning("queues.not_read", error=str(error))
            await wait_for_event(self._wake, REFRESH_INTERVAL_S)

    async def refresh(self) -> None:
        queues = await self._store.all()
        if queues != self._queues:
            self._queues = queues
            self._changed()
