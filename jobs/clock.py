"""Due time: MongoDB's clock, and an offset that only tests and development may move.

Liveness (heartbeats, leases, elections) is real time and does not come from here.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from ostinato.jobs.mongo.clock import ServerClock
from ostinato.jobs.settings import Mode

RESYNC_S: Final = 10.0  # quartz drifts some 50 ppm: half a millisecond in this time


class Clock:
    """What time it is for schedules, whatever the host's own clock says."""

    def __init__(self, server: ServerClock, mode: Mode) -> None:
        self._server = server
        self._movable = mode is not Mode.PRODUCTION
        self._offset_ms = 0
        self._anchor = (datetime.min.replace(tzinfo=UTC), -RESYNC_S)

    async def offset_ms(self) -> int:
        """Give how far due time stands from the server's clock: 0 in production."""
        if self._movable:
            self._offset_ms = await self._server.read_offset_ms()
        return self._offset_ms

    async def now(self) -> datetime:
        """Give due time, in whole milliseconds, never ahead of the server's own."""
        anchored_at = self._anchor[1]
        if time.monotonic() - anchored_at >= RESYNC_S:
            await self._resync()
        offset = timedelta(milliseconds=await self.offset_ms())
        server_time, anchored_at = self._anchor
        now = server_time + timedelta(seconds=time.monotonic() - anchored_at) + offset
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    async def advance(self, ms: int) -> None:
        """Move due time forward for every process of this installation.

        Raises RuntimeError in production.
        """
        if not self._movable:
            raise RuntimeError("due time can be moved in test and development modes only")
        await self._server.add_to_offset(ms)

    async def _resync(self) -> None:
        # The server read its clock before the reply came: anchoring it there never runs ahead.
        server_time = await self._server.read_time()
        self._anchor = (server_time, time.monotonic())
