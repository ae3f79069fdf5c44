"""Counts jobs once for all who ask at about the same time."""

import asyncio
from collections import OrderedDict
from typing import Final

from ostinato.jobs.mongo.backoff import Backoff
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_counts import JobCounts, count_jobs
from ostinato.jobs.single_flight import SingleFlight

MOST_KEPT: Final = 1_000  # owners; who asked longest ago is counted anew


class Counts:
    """Answer from what was counted lately; the owner None is everybody."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._kept: OrderedDict[str | None, SingleFlight[JobCounts]] = OrderedDict()
        self.counted = 0
        """How often MongoDB was asked."""

    async def of(self, owner: str | None, max_age_s: float) -> JobCounts:
        """Return counts that are at most so old, once MongoDB answers."""
        kept = self._kept.get(owner)
        if kept is None:
            kept = self._kept[owner] = SingleFlight(lambda: self._count(owner))
        self._kept.move_to_end(owner)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return await kept.get(max_age_s)

    async def close(self) -> None:
        """End what is being counted."""
        await asyncio.gather(*(kept.close() for kept in self._kept.values()))

    async def _count(self, owner: str | None) -> JobCounts:
        self.counted += 1
        return await Backoff().retry(lambda: count_jobs(self._mongo, owner))
