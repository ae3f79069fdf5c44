"""Batched lookups (DataLoader)."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from ostinato.jobs.async_tools.batch_loader import BatchLoader
from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.changes import Position, time_of
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.reads import Reads, count_jobs
from ostinato.jobs.records import Batch, Cron, Job, JobCounts, RecurringTask, Request

MAX_OWNERS: Final = 1_000  # the cache size; the least recently used owner is evicted

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class ObjectReader(Generic[R]):
    """Batched reads of one kind of object, of all owners: callers must check access."""

    def __init__(self, mongo: Mongo, kind: type[R]) -> None:
        self._reads = Reads(mongo)
        self._kind: type[R] = kind
        self._after = Position("")
        self._loader: BatchLoader[str, R] = BatchLoader(self._read)

    async def load(self, ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Return the existing objects by id, as of `after` or later. The result may include objects
        that concurrent callers requested."""
        self._after = max(self._after, after)
        found = await self._loader.load_many(ids)
        return {name: each for name, each in found.items() if not isinstance(each, Exception)}

    async def _read(self, ids: Collection[str]) -> Mapping[str, R | Exception]:
        time = time_of(self._after)
        return await MongoRetry().run(lambda: self._reads.find_by_ids(self._kind, ids, None, time))


class JobCountCache:
    """Cached job counts per owner; the owner None stands for all owners."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._counts: LRUCache[str | None, SingleFlight[JobCounts]] = LRUCache(MAX_OWNERS)
        self.reads = 0
        """Number of queries so far."""

    async def get(self, owner: str | None, max_age_s: float) -> JobCounts:
        """Return counts that are at most `max_age_s` old."""
        counts = self._counts.get(owner)
        if counts is None:
            counts = self._counts[owner] = SingleFlight(lambda: self._read(owner))
        return await counts.get(max_age_s)

    async def close(self) -> None:
        """Cancel the reads in flight."""
        await asyncio.gather(*(counts.close() for counts in self._counts.values()))

    async def _read(self, owner: str | None) -> JobCounts:
        self.reads += 1
        return await MongoRetry().run(lambda: count_jobs(self._mongo, owner))
