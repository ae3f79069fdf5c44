"""Scheduler time: MongoDB's clock plus an offset, which only test and development modes shift.

Liveness (heartbeats, leases, elections) uses real time, not this clock.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from ostinato.jobs.mongo.clock import ServerClock
from ostinato.jobs.settings import Mode

RESYNC_S: Final = 10.0  # a quartz clock drifts about 50 ppm: 0.5 ms per interval


class Clock:
    """Scheduler time, independent of the host's clock."""

    def __init__(self, server: ServerClock, mode: Mode) -> None:
        self._server = server
        self._movable = mode is not Mode.PRODUCTION
        self._offset_ms = 0
        self._anchor = (datetime.min.replace(tzinfo=UTC), -RESYNC_S)

    async def offset_ms(self) -> int:
        """Return the offset of scheduler time from the server's clock; 0 in production."""
        if self._movable:
            self._offset_ms = await self._server.read_offset_ms()
        return self._offset_ms

    async def now(self) -> datetime:
        """Return scheduler time in whole milliseconds, never ahead of the server's clock."""
        anchored_at = self._anchor[1]
        if time.monotonic() - anchored_at >= RESYNC_S:
            await self._resync()
        offset = timedelta(milliseconds=await self.offset_ms())
        server_time, anchored_at = self._anchor
        now = server_time + timedelta(seconds=time.monotonic() - anchored_at) + offset
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    async def advance(self, ms: int) -> None:
        """Shift scheduler time forward for every process of this installation.

        Raises RuntimeError in production.
        """
        if not self._movable:
            raise RuntimeError("scheduler time can only be shifted in test and development mode")
        await self._server.add_to_offset(ms)

    async def _resync(self) -> None:
        # The server read its clock before the reply arrived, so the anchor is never ahead of it.
        server_time = await self._server.read_time()
        self._anchor = (server_time, time.monotonic())
