"""Every second, looks for what should exist and does not. Each repair is idempotent."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.waiting import run_together

Repair = Callable[[], Awaitable[int]]
"""Looks once and returns how much it mended."""

log = get_log(__name__)


class Sweeper:
    """Runs in the one worker that leads."""

    def __init__(self, repairs: Mapping[str, Repair], every_ms: int) -> None:
        self._repairs = repairs
        self._every_s = every_ms / 1000
        self.mended: Counter[str] = Counter()

    async def run(self) -> None:
        """Look at each kind for ever: one that is slow, or fails, keeps no other waiting."""
        await run_together(*(partial(self._keep_looking, name) for name in self._repairs))

    async def _keep_looking(self, name: str) -> None:
        while True:
            await self._look(name)
            await asyncio.sleep(self._every_s)

    async def _look(self, name: str) -> None:
        try:
            mended = await self._repairs[name]()
        except MongoError as error:
            log.warning("sweep.failed", repair=name, error=str(error))
        except Exception:  # a duty of the sweeper: the others go on, this one next time
            log.exception("sweep.failed", repair=name)
        else:
            if mended:
                self.mended[name] += mended
                log.warning("sweep.mended", repair=name, count=mended)
