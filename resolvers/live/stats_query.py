"""The live query of job counts, shared by all viewers with the same scope."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import require_range
from ostinato.jobs.worker_records import JobCounts
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, ResumePoint
from ostinato.resolvers.live.messages import EventPosition

MIN_INTERVAL_MS: Final = 500
MAX_INTERVAL_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    event_position: EventPosition
    counts: JobCounts


def stats_changed(ctx: RequestContext, every_ms: int) -> LiveQuery[Stats]:
    """Return the live query of job counts: the current ones, then updates every `every_ms`.

    Iteration raises BadRequest at `everyMs`.
    """
    return StatsQuery(ctx, every_ms)


class StatsQuery(LiveQuery[Stats]):
    def __init__(self, ctx: RequestContext, every_ms: int) -> None:
        self._ctx = ctx
        self._every_ms = every_ms

    async def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[Stats], None]:
        """Yield the current counts."""
        require_range("everyMs", self._every_ms, MIN_INTERVAL_MS, MAX_INTERVAL_MS)
        yield await self._read()
        yield ResumePoint(position=current_position())

    async def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[Stats], None]:
        """Yield the counts at every interval; counts in between are not sent."""
        yield ResumePoint(position=current_position())
        while True:
            await asyncio.sleep(self._every_ms / 1_000)
            yield await self._read()

    async def _read(self) -> Stats:
        max_age_s = self._every_ms / 1_000 / 2
        counts = await self._ctx.feed.counts.get(self._ctx.scope, max_age_s)
        return Stats(event_position=EventPosition(current_position()), counts=counts)


def current_position() -> Position:
    """Return a synthetic position for the current time: counts have no change events."""
    return Position(f"{time.monotonic_ns():020}")
