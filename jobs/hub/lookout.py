"""Finds out early that nothing has happened: a quiet stream says so a quarter of a second late."""

import asyncio
from collections.abc import Callable
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.backoff import TRANSIENT_ERRORS
from ostinato.jobs.mongo.change_stream import StreamBatch, peek
from ostinato.jobs.mongo.client import Mongo

log = get_log(__name__)

GATHER_S: Final = 0.015  # a busy stream has answered by then, and who comes meanwhile shares a look
LONGEST_S: Final = 0.06  # when looks find nothing: a hub that is behind is not helped by them
LOOK_S: Final = 5.0


class Lookout:
    """Look ahead of the hub, once for all who wait."""

    def __init__(
        self, mongo: Mongo, where: Callable[[], Position], go_on: Callable[[StreamBatch], None]
    ) -> None:
        """`where` tells how far the hub is; `go_on` that there is nothing up to there."""
        self._mongo = mongo
        self._where = where
        self._go_on = go_on
        self._looking: asyncio.Task[None] | None = None
        self._gather_s = GATHER_S
        self.looks = 0
        """How often MongoDB was asked."""

    async def look(self) -> None:
        """Wait for one look, whatever it finds."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.wait([self._looking])

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        await asyncio.sleep(self._gather_s)
        position = self._where()
        self.looks += 1
        found = None
        try:
            async with asyncio.timeout(LOOK_S):
                found = await peek(self._mongo, position)
        except (*TRANSIENT_ERRORS, OstinatoError):
            pass  # the stream meets it too, and says so
        except Exception:  # a duty of the hub: who waits looks again
            log.exception("lookout.failed")
        if found is not None and self._where() == position:
            self._go_on(found)
            self._gather_s = GATHER_S
        else:
            self._gather_s = min(2 * self._gather_s, LONGEST_S)
