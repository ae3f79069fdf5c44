"""The live query of activity, shared by all viewers with the same scope."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.errors import require_range
from ostinato.jobs.overview_reader import SeriesKey
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, ResumePoint
from ostinato.resolvers.live.messages import EventPosition
from ostinato.resolvers.live.stats_query import MAX_INTERVAL_MS, current_position
from ostinato.resolvers.overview import series_key

MIN_INTERVAL_MS: Final = 1_000  # workers report every five seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityMessage:
    event_position: EventPosition
    activity: Activity


class ActivityQuery(LiveQuery[ActivityMessage]):
    """First the whole series, then its newest points at every interval.

    Iteration raises BadRequest at `everyMs` and `functionName`.
    """

    def __init__(
        self,
        ctx: RequestContext,
        reach: ActivityRange,
        function_name: str | None,
        every_ms: int,
    ) -> None:
        self._ctx = ctx
        self._reach = reach
        self._function_name = function_name
        self._every_ms = every_ms

    async def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[ActivityMessage], None]:
        """Yield all points."""
        require_range("everyMs", self._every_ms, MIN_INTERVAL_MS, MAX_INTERVAL_MS)
        yield _message(await self._read(self._key()))
        yield ResumePoint(position=current_position())

    async def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[ActivityMessage], None]:
        """Yield the points that may have changed since the previous message: the newest one then,
        the one before it, to which a slow worker may have added, and all later ones."""
        key = self._key()
        previous = (await self._read(key)).points[-1].start
        yield ResumePoint(position=current_position())
        while True:
            await asyncio.sleep(self._every_ms / 1_000)
            activity = await self._read(key)
            yield _message(_since(activity, previous - self._reach.buckets.size))
            previous = activity.points[-1].start

    def _key(self) -> SeriesKey:
        return series_key(self._ctx, self._reach, self._function_name)

    async def _read(self, key: SeriesKey) -> Activity:
        return await self._ctx.engine.overview.read_activity(key, self._every_ms / 1_000 / 2)


def _message(activity: Activity) -> ActivityMessage:
    return ActivityMessage(event_position=EventPosition(current_position()), activity=activity)


def _since(activity: Activity, start: datetime) -> Activity:
    points = tuple(point for point in activity.points if point.start >= start)
    return replace(activity, points=points)
