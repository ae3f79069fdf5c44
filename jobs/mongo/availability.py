"""When MongoDB could not be written to, as the driver's own monitoring has seen it."""

import time
from typing import Final

from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

Address = tuple[str, int | None]


class PrimaryMonitor(ServerHeartbeatListener):
    """Told by the driver's threads; asked by whoever wonders why time has run out.

    The driver tells of heartbeats at once; for listeners of its topology it keeps a thread, which
    closing a client waits for, half a second.
    """

    def __init__(self) -> None:
        self._primaries: Final[set[Address]] = set()
        self._last_away = time.monotonic()

    def was_unavailable_since(self, instant: float) -> bool:
        """Tell whether there was no primary at any time after an instant of `time.monotonic()`."""
        return not self._primaries or self._last_away >= instant

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Ignore: the answer tells."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        if not event.reply.is_writable:
            self._lose(event.connection_id)
        elif event.connection_id not in self._primaries:
            self._last_away = time.monotonic()
            self._primaries.add(event.connection_id)

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        self._lose(event.connection_id)

    def _lose(self, address: Address) -> None:
        self._primaries.discard(address)
        if not self._primaries:
            self._last_away = time.monotonic()
