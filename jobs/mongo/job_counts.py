"""Counts jobs by state, for one owner or for all, with a cache."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from cachetools import LRUCache

from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.records import JobState
from ostinato.jobs.worker_records import JobCounts

MAX_OWNERS: Final = 1_000  # the cache size; the least recently used owner is evicted
MAX_COUNT: Final = 1_000  # higher counts are expensive, and of no use to users
STATE_INDEXES: Final = {
    JobState.PENDING: "due",
    JobState.IN_PROGRESS: "running",
    JobState.FAILED: "failed",
}
"""The index for each state across owners; queries for one owner need no hint."""


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


async def count_jobs(mongo: Mongo, owner: str | None) -> JobCounts:
    """Count an owner's jobs, or the jobs of all owners."""
    at = datetime.now(UTC)
    pending, in_progress, failed = await asyncio.gather(
        *(_count(mongo, owner, state) for state in STATE_INDEXES)
    )
    return JobCounts(at=at, pending=pending, in_progress=in_progress, failed=failed)


async def _count(mongo: Mongo, owner: str | None, state: JobState) -> int:
    matched: dict[str, Any] = {"state": state.value, "internal": False}
    if owner is not None:
        return int(await mongo[JOBS].count_documents({"owner": owner, **matched}, limit=MAX_COUNT))
    count = partial(mongo[JOBS].count_documents, matched, limit=MAX_COUNT)
    return int(await read_with_hint(STATE_INDEXES[state], count))
