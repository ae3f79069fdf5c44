"""What one reader receives from a catch-up stream, which waits until it is taken."""

import asyncio
from collections.abc import Sequence

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.hub.watch import Notice, Watch


class Feed:
    """Collect the notices behind `after` until the stream has joined the ring."""

    def __init__(self, watch: Watch, after: Position) -> None:
        self.watch = watch
        self.after = after
        self.arrived_at: Position | None = None
        """Where to read on in the ring; None while catching up."""
        self.vanished = False
        """Whether documents went away unannounced on the way."""
        self._error: OstinatoError | None = None
        self._notices: list[Notice] = []
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def offer(self, notices: Sequence[Notice]) -> None:
        new = [notice for notice in notices if notice.change.position > self.after]
        if new:
            self._notices.extend(new)
            self._drained.clear()
            self._filled.set()

    def arrive(self, position: Position) -> None:
        self.arrived_at = max(position, self.after)
        self._filled.set()

    def vanish(self) -> None:
        self.vanished = True
        self._filled.set()

    def fail(self, error: OstinatoError) -> None:
        self._error = error
        self._filled.set()

    def close(self) -> None:
        """Let go of whoever waits on either side."""
        self._notices = []
        self._drained.set()
        self._filled.set()

    async def drained(self) -> None:
        """Wait until the reader has taken everything."""
        await self._drained.wait()

    async def take(self) -> Sequence[Notice]:
        """Wait for notices; none once it has ended. Raises what it failed with."""
        await self._filled.wait()
        taken, self._notices = self._notices, []
        self._drained.set()
        if taken:
            if self.arrived_at is None and not self.vanished and self._error is None:
                self._filled.clear()
            return taken
        if self._error is not None:
            raise self._error
        return ()
