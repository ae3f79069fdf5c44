"""Batched lookups (DataLoader)."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.changes import Position, time_of
from ostinato.jobs.errors import Malformed
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_counts import count_jobs
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.mongo.reads import Reads
from ostinato.jobs.records import Batch, Cron, Job, JobCounts, RecurringTask, Request

MAX_OWNERS: Final = 1_000  # the cache size; the least recently used owner is evicted

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class ObjectReader(Generic[R]):
    """Batched reads of one kind of object, of all owners: callers must check access."""

    def __init__(self, mongo: Mongo, kind: type[R]) -> None:
        self._reads = Reads(mongo)
        self._kind: type[R] = kind
        self._wanted: set[str] = set()
        self._after = Position("")
        self._reading: asyncio.Task[Mapping[str, R]] | None = None

    async def load(self, ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Return the existing objects by id, as of `after` or later. The result may include objects
        that concurrent callers requested."""
        if not ids:
            return {}
        self._wanted.update(ids)
        self._after = max(self._after, after)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> Mapping[str, R]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._reading = self._wanted, set(), None
        time = time_of(self._after)
        found = await MongoRetry().run(
            lambda: self._reads.find_by_ids(self._kind, wanted, None, time)
        )
        return {name: each for name, each in found.items() if not isinstance(each, Malformed)}


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
