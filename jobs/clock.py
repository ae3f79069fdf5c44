"""Scheduler time: MongoDB's clock, which only test and development modes shift or hold.

Liveness (heartbeats, leases, elections) uses real time, not this clock.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from ostinato.jobs.mongo.clock import ClockTime, ServerClock
from ostinato.jobs.settings import Mode

RESYNC_S: Final = 10.0  # a quartz clock drifts about 50 ppm: 0.5 ms per interval


class Clock:
    """Scheduler time, independent of the host's clock."""

    def __init__(self, server: ServerClock, mode: Mode) -> None:
        self._server = server
        self._movable = mode is not Mode.PRODUCTION
        self.held_at: datetime | None = None
        """The time at which this process holds scheduler time: see `hold_at`."""
        self._anchor = (datetime.min.replace(tzinfo=UTC), -RESYNC_S)

    async def read(self) -> ClockTime:
        """Return how MongoDB computes scheduler time: from its own clock in production."""
        if self.held_at is not None:
            return self.held_at
        return await self._server.read_clock_time() if self._movable else 0

    async def now(self) -> datetime:
        """Return scheduler time in whole milliseconds, never ahead of the server's clock."""
        clock_time = await self.read()
        if isinstance(clock_time, datetime):
            return clock_time
        if time.monotonic() - self._anchor[1] >= RESYNC_S:
            await self._resync()
        server_time, anchored_at = self._anchor
        offset = timedelta(seconds=time.monotonic() - anchored_at, milliseconds=clock_time)
        now = server_time + offset
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    async def advance(self, ms: int) -> None:
        """Shift scheduler time forward for every process of this installation.

        Raises RuntimeError in production.
        """
        self._require_movable()
        await self._server.add_to_offset(ms)

    async def hold_at(self, at: datetime) -> None:
        """Stop scheduler time at an instant in whole milliseconds, for every process of this
        installation.

        This process no longer reads the time from MongoDB: only it may move it. Raises RuntimeError
        in production.
        """
        self._require_movable()
        await self._server.hold_at(at)
        self.held_at = at

    def _require_movable(self) -> None:
        if not self._movable:
            raise RuntimeError("scheduler time can only be shifted in test and development mode")

    async def _resync(self) -> None:
        # The server read its clock before the reply arrived, so the anchor is never ahead of it.
        server_time = await self._server.read_time()
        self._anchor = (server_time, time.monotonic())
