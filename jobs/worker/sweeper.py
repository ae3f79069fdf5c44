"""Every second, looks for what should exist and does not. Each repair is idempotent."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from ostinato.jobs.async_wait import run_all
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError

Sweep = Callable[[], Awaitable[int]]
"""Looks once and returns how much it mended."""

log = get_log(__name__)


class Sweeper:
    """Runs in the one worker that leads."""

    def __init__(self, sweeps: Mapping[str, Sweep], every_ms: int) -> None:
        self._sweeps = sweeps
        self._every_s = every_ms / 1000
        self.repaired: Counter[str] = Counter()

    async def run(self) -> None:
        """Look at each kind for ever: one that is slow, or fails, keeps no other waiting."""
        await run_all(*(partial(self._sweep_forever, name) for name in self._sweeps))

    async def _sweep_forever(self, name: str) -> None:
        while True:
            await self._sweep(name)
            await asyncio.sleep(self._every_s)

    async def _sweep(self, name: str) -> None:
        try:
            repaired = await self._sweeps[name]()
        except MongoError as error:
            log.warning("sweep.failed", repair=name, error=str(error))
        except Exception:  # a duty of the sweeper: the others go on, this one next time
            log.exception("sweep.failed", repair=name)
        else:
            if repaired:
                self.repaired[name] += repaired
                log.warning("sweep.repaired", repair=name, count=repaired)
