"""Caches what dispatch and claims depend on: the queues' weights and paused flags, and whether jobs
have several owners; refreshed on a signal and every second."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.dispatch.fairness import owner_limit
from ostinato.jobs.dispatch.scan_cursors import MAX_READ_SHARE
from ostinato.jobs.lanes import Queue
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Mongo, MongoError
from ostinato.jobs.mongo.due_jobs import has_several_owners
from ostinato.jobs.mongo.queues import QueueStore

REFRESH_INTERVAL_S: Final = 1.0
SEVERAL_OWNERS_S: Final = 60.0  # how long a positive answer is kept: it rarely changes

log = get_log(__name__)


class QueueSettings:
    def __init__(self, mongo: Mongo, changed: Callable[[], None], owner_share: float = 1.0) -> None:
        """`owner_share` is the share of slots that one owner may hold while there are several."""
        self._mongo = mongo
        self._owner_share = owner_share
        self._has_several_owners = False
        self._owners_refresh_at = 0.0
        self._store = QueueStore(mongo)
        self._changed = changed
        self._queues: dict[str, Queue] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    def is_paused(self, queue: str) -> bool:
        found = self._queues.get(queue)
        return found is not None and found.paused

    def paused(self) -> list[str]:
        """Return the names of the paused queues."""
        return [queue.name for queue in self._queues.values() if queue.paused]

    def weight_of(self, queue: str) -> int:
        found = self._queues.get(queue)
        return found.weight if found else 1

    def owner_limit(self, slots: int) -> int | None:
        """Return how many of `slots` the jobs of one owner may hold at once; None: all."""
        return owner_limit(slots, self._owner_share) if self._has_several_owners else None

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
        is_changed, self._queues = queues != self._queues, queues
        if is_changed:
            self._changed()  # before the next read, which may fail
        if await self._refresh_owners():
            self._changed()

    async def _refresh_owners(self) -> bool:
        """Return whether the answer changed."""
        began, had_several = time.monotonic(), self._has_several_owners
        if self._owner_share == 1.0 or began < self._owners_refresh_at:
            return False
        self._has_several_owners = await has_several_owners(self._mongo)
        now = time.monotonic()
        pause = SEVERAL_OWNERS_S if self._has_several_owners else 0.0
        self._owners_refresh_at = now + max(pause, (now - began) / MAX_READ_SHARE)
        return self._has_several_owners != had_several
