"""Reads activity for all viewers of a process: equal reads share one query, and are cached."""

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from cachetools import LRUCache

from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.clock import Clock
from ostinato.jobs.function_counters import FunctionCounters
from ostinato.jobs.mongo.activity import ActivityStore
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.owner_activity import read_owner_activity

MAX_SERIES: Final = 200  # up to 50 KiB each; the least recently read one is evicted
REST: Final = 10  # a series that takes long is read less often: a tenth of the time at most


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """What a series shows."""

    reach: ActivityRange
    function_name: str | None = None
    """None: all functions but internal ones. Of the installation, the label of a function."""
    owner: str | None = None
    """None: the installation, as its workers have counted it."""


@dataclass(slots=True)
class _Series:
    flight: SingleFlight[Activity]
    took_s: float = 0.0


@dataclass(slots=True)
class ActivityReader:
    """The series of one process, by what they show."""

    mongo: Mongo
    clock: Clock
    store: ActivityStore
    reads: int = 0
    """Number of reads so far."""
    _series: LRUCache[SeriesKey, _Series] = field(default_factory=lambda: LRUCache(MAX_SERIES))

    @classmethod
    def of(cls, mongo: Mongo, clock: Clock, counters: FunctionCounters) -> Self:
        """Return the reader of what these counters count in every process."""
        return cls(mongo=mongo, clock=clock, store=ActivityStore(mongo, counters.is_internal))

    async def get(self, key: SeriesKey, max_age_s: float) -> Activity:
        """Return a series read at most `max_age_s` ago; longer if its last read took long."""
        series = self._series.get(key)
        if series is None:
            series = _Series(SingleFlight(partial(self._read, key)))
            self._series[key] = series
        return await series.flight.get(max(max_age_s, REST * series.took_s))

    async def read(self, key: SeriesKey) -> Activity:
        """Read a series, without the cache."""
        now, buckets = await self.clock.now(), key.reach.buckets
        if key.owner is None:
            counts = await self.store.read(key.reach, key.function_name, now)
            return Activity.build(buckets, now, counts)
        found = await read_owner_activity(self.mongo, key.owner, key.reach, key.function_name, now)
        return Activity.build(buckets, now, found.counts, found.counted_from)

    async def close(self) -> None:
        """Cancel the reads in flight."""
        await asyncio.gather(*(series.flight.close() for series in self._series.values()))

    async def _read(self, key: SeriesKey) -> Activity:
        self.reads += 1
        began = time.monotonic()
        activity = await MongoRetry().run(partial(self.read, key))
        if (series := self._series.get(key)) is not None:
            series.took_s = time.monotonic() - began
        return activity
