"""Counts what an owner has, for quotas, through any function that runs pipelines."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from ostinato.jobs.bulk_actions import BulkActionState
from ostinato.jobs.documents import schedule_from
from ostinato.jobs.quotas.limits import QuotaKind, QuotaSettings, limit_of
from ostinato.jobs.records import BatchState, IntervalSchedule, JobState, RequestState
from ostinato.jobs.schedules import ticks_per_minute

Document = dict[str, Any]
Aggregate = Callable[[str, list[Document]], Awaitable[list[Document]]]
"""Runs a pipeline over the collection with this name."""

OPEN_BATCHES: Final = [BatchState.RUNNING.value, BatchState.PAUSED.value]

COUNTED: Final[Mapping[QuotaKind, tuple[str, Document]]] = MappingProxyType(
    {
        QuotaKind.PENDING_JOBS: ("jobs", {"state": JobState.PENDING.value}),
        QuotaKind.CRONS: ("crons", {}),
        QuotaKind.RECURRING_TASKS: ("taskConfigs", {}),
        QuotaKind.BATCHES: ("batches", {"state": {"$in": OPEN_BATCHES}}),
        QuotaKind.ITEMS: ("items", {"processed": False}),
        QuotaKind.REQUESTS: ("requests", {"state": RequestState.PENDING.value}),
        QuotaKind.BULK_ACTIONS: ("bulkActions", {"state": BulkActionState.RUNNING.value}),
    }
)
"""The collection of each kind that is a number of documents, and the filter of those that count.
An index covers each count."""

MEASURED: Final = (QuotaKind.PENDING_JOBS, QuotaKind.ITEMS, QuotaKind.REQUESTS)
"""The kinds whose documents count as stored bytes: they do not expire while they wait."""

COUNT_WITHOUT_LIMIT: Final = 100_000  # a count stops here if the quota has no limit


async def count(aggregate: Aggregate, kind: QuotaKind, owner: str, limit: int | None) -> float:
    """Return how much of a quota the owner uses; a count stops at one more than the limit."""
    if kind is QuotaKind.TICKS_PER_MINUTE:
        return await count_ticks(aggregate, owner)
    collection, filter_ = COUNTED[kind]
    stop_at = COUNT_WITHOUT_LIMIT if limit is None else limit + 1
    found = await aggregate(
        collection,
        [{"$match": {"owner": owner, **filter_}}, {"$limit": stop_at}, {"$count": "n"}],
    )
    return int(found[0]["n"]) if found else 0


async def count_ticks(aggregate: Aggregate, owner: str, without: str | None = None) -> float:
    """Return the ticks a minute of an owner's running crons and recurring tasks.

    Leaves out the object with the id `without`, and malformed schedules.
    """
    running: Document = {"owner": owner, "enabled": True, "_id": {"$ne": without}}
    crons = await aggregate("crons", _grouped(running, "$schedule"))
    tasks = await aggregate("taskConfigs", _grouped(running, "$intervalMs"))
    total = 0.0
    for row in (*crons, *tasks):
        with suppress(Exception):  # written by another program
            given = row["_id"]
            schedule = (
                schedule_from(given) if isinstance(given, Mapping) else IntervalSchedule(ms=given)
            )
            total += ticks_per_minute(schedule) * row["n"]
    return round(total, 3)


def _grouped(filter_: Document, value: str) -> list[Document]:
    return [{"$match": filter_}, {"$group": {"_id": value, "n": {"$sum": 1}}}]


class QuotaReader:
    """Counts what an owner has, outside of transactions."""

    def __init__(self, aggregate: Aggregate, settings: QuotaSettings) -> None:
        self._aggregate = aggregate
        self._settings = settings

    async def count(self, kind: QuotaKind, owner: str, limit: int | None) -> float:
        return await count(self._aggregate, kind, owner, limit)

    async def count_pending_jobs(self, owner: str) -> int:
        limit = limit_of(self._settings, QuotaKind.PENDING_JOBS)
        return int(await self.count(QuotaKind.PENDING_JOBS, owner, limit))

    async def measure_bytes(self, owner: str) -> int:
        """Return the size of the owner's documents of the MEASURED kinds, of which it reads all,
        and of the logs of their jobs, which an index covers."""
        sizes = [self._measure(*COUNTED[kind], owner) for kind in MEASURED]
        return sum(await asyncio.gather(*sizes, self._measure_logs(owner)))

    async def _measure_logs(self, owner: str) -> int:
        total = {"$group": {"_id": None, "bytes": {"$sum": "$bytes"}}}
        found = await self._aggregate("jobLogs", [{"$match": {"owner": owner}}, total])
        return int(found[0]["bytes"]) if found else 0

    async def _measure(self, collection: str, filter_: Document, owner: str) -> int:
        total = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
        found = await self._aggregate(collection, [{"$match": {"owner": owner, **filter_}}, total])
        return int(found[0]["bytes"]) if found else 0
