"""Reads that many subscriptions ask for at the same time: each is one query for all of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final, Generic, TypeVar

from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.changes import Position, time_of
from ostinato.jobs.errors import Malformed
from ostinato.jobs.mongo import reads
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_counts import JobCounts, count_jobs
from ostinato.jobs.mongo.mongo_retry import MongoRetry
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request

MAX_OWNERS: Final = 1_000  # whose counts are cached; the least recently used are dropped

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class ObjectReader(Generic[R]):
    """Read objects of one kind and of all owners: the caller decides who may see them."""

    def __init__(self, mongo: Mongo, kind: type[R]) -> None:
        self._mongo = mongo
        self._kind: type[R] = kind
        self._wanted: set[str] = set()
        self._after = Position("")
        self._gathering: asyncio.Task[Mapping[str, R]] | None = None

    async def load(self, ids: Collection[str], after: Position) -> Mapping[str, R]:
        """Return the objects that exist, and those that others asked for, as of that position or
        later."""
        if not ids:
            return {}
        self._wanted.update(ids)
        self._after = max(self._after, after)
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._read())
        return await asyncio.shield(self._gathering)

    async def _read(self) -> Mapping[str, R]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._gathering = self._wanted, set(), None
        time = time_of(self._after)
        found = await MongoRetry().run(
            lambda: reads.find_by_ids(self._mongo, self._kind, wanted, None, time)
        )
        return {name: each for name, each in found.items() if not isinstance(each, Malformed)}


class JobCountCache:
    """Return recent counts of jobs per owner; the owner None stands for all owners."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._counts: OrderedDict[str | None, SingleFlight[JobCounts]] = OrderedDict()
        self.reads = 0
        """How often MongoDB was asked."""

    async def get(self, owner: str | None, max_age_s: float) -> JobCounts:
        """Return counts that are at most so old, once MongoDB answers."""
        counts = self._counts.get(owner)
        if counts is None:
            counts = self._counts[owner] = SingleFlight(lambda: self._read(owner))
        self._counts.move_to_end(owner)
        if len(self._counts) > MAX_OWNERS:
            self._counts.popitem(last=False)
        return await counts.get(max_age_s)

    async def close(self) -> None:
        """Cancel the reads that are on their way."""
        await asyncio.gather(*(counts.close() for counts in self._counts.values()))

    async def _read(self, owner: str | None) -> JobCounts:
        self.reads += 1
        return await MongoRetry().run(lambda: count_jobs(self._mongo, owner))
