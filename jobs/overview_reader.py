"""Reads what concerns all jobs of a viewer: equal reads of a process share a query and a cache."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from cachetools import LRUCache

from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.async_tools.single_flight import RestingFlight
from ostinato.jobs.clock import Clock
from ostinato.jobs.function_counters import FunctionCounters
from ostinato.jobs.job_totals import JobTotals
from ostinato.jobs.mongo.activity import ActivityStore
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_totals import read_job_totals
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.owner_activity import read_owner_activity

MAX_SERIES: Final = 200  # up to 50 KiB each; the least recently read one is evicted
MAX_OWNERS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """What a series shows."""

    reach: ActivityRange
    function_name: str | None = None
    """None: all functions but internal ones. Of the installation, the label of a function."""
    owner: str | None = None
    """None: the installation, as its workers have counted it."""


@dataclass(slots=True, kw_only=True)
class OverviewReader:
    """The cached series and totals of one process; the owner None stands for all owners."""

    mongo: Mongo
    clock: Clock
    activity: ActivityStore
    reads: int = 0
    """Number of reads so far."""
    _series: LRUCache[SeriesKey, RestingFlight[Activity]] = field(
        default_factory=lambda: LRUCache(MAX_SERIES)
    )
    _totals: LRUCache[str | None, RestingFlight[JobTotals]] = field(
        default_factory=lambda: LRUCache(MAX_OWNERS)
    )

    @classmethod
    def of(cls, mongo: Mongo, clock: Clock, counters: FunctionCounters) -> Self:
        """Return the reader of what these counters count in every process."""
        return cls(mongo=mongo, clock=clock, activity=ActivityStore(mongo, counters.is_internal))

    async def read_activity(self, key: SeriesKey, max_age_s: float) -> Activity:
        """Return a series read at most `max_age_s` ago; longer if its last read took long."""
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = RestingFlight(partial(self._read_activity, key))
        return await series.get(max_age_s)

    async def read_totals(self, owner: str | None, max_age_s: float) -> JobTotals:
        """Return totals read at most `max_age_s` ago; longer if their last read took long."""
        totals = self._totals.get(owner)
        if totals is None:
            totals = self._totals[owner] = RestingFlight(partial(self._read_totals, owner))
        return await totals.get(max_age_s)

    async def query_activity(self, key: SeriesKey) -> Activity:
        """Read a series, without the cache."""
        now, buckets = await self.clock.now(), key.reach.buckets
        if key.owner is None:
            counts = await self.activity.read(key.reach, key.function_name, now)
            return Activity.build(buckets, now, counts)
        found = await read_owner_activity(self.mongo, key.owner, key.reach, key.function_name, now)
        return Activity.build(buckets, now, found.counts, found.counted_from)

    async def close(self) -> None:
        """Cancel the reads in flight."""
        await asyncio.gather(
            *(series.close() for series in self._series.values()),
            *(totals.close() for totals in self._totals.values()),
        )

    async def _read_activity(self, key: SeriesKey) -> Activity:
        self.reads += 1
        return await MongoRetry().run(partial(self.query_activity, key))

    async def _read_totals(self, owner: str | None) -> JobTotals:
        self.reads += 1
        now = await self.clock.now()
        return await MongoRetry().run(partial(read_job_totals, self.mongo, owner, now))
