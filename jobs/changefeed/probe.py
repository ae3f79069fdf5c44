"""Probes for changes after the feed's position, which an idle change stream reports only every
250 ms."""

import asyncio
from collections.abc import Callable
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.change_stream import StreamBatch, peek
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.mongo_retry import TRANSIENT_ERRORS

log = get_log(__name__)

GATHER_S: Final = 0.015  # callers share a probe; a busy stream makes it unnecessary
MAX_GATHER_S: Final = 0.06  # limit of the backoff, for example while the feed lags
PROBE_TIMEOUT_S: Final = 5.0


class HeadProbe:
    """Checks for changes after the feed's position; concurrent callers share one query."""

    def __init__(
        self,
        mongo: Mongo,
        position: Callable[[], Position],
        advance: Callable[[StreamBatch], None],
    ) -> None:
        """`position` returns the feed's position; `advance` moves it if there are no changes."""
        self._mongo = mongo
        self._position = position
        self._advance = advance
        self._probing: asyncio.Task[None] | None = None
        self._gather_s = GATHER_S
        self.probes = 0
        """Number of probes so far."""

    async def probe(self) -> None:
        """Wait for one probe, regardless of its result."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())
        await asyncio.wait([self._probing])

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> None:
        await asyncio.sleep(self._gather_s)
        position = self._position()
        self.probes += 1
        found = None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                found = await peek(self._mongo, position)
        except (*TRANSIENT_ERRORS, OstinatoError):
            pass  # the change stream fails with the same error, and reports it
        except Exception:  # any error: callers retry
            log.exception("probe.failed")
        if found is not None and self._position() == position:
            self._advance(found)
            self._gather_s = GATHER_S
        else:
            self._gather_s = min(2 * self._gather_s, MAX_GATHER_S)
