"""Reads what an owner has, for quotas, outside of transactions."""

import asyncio
from typing import Final

from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.quota_counts import COUNTED, count
from ostinato.jobs.quotas import QuotaKind, QuotaSettings, limit_of

MEASURED: Final = (QuotaKind.PENDING_JOBS, QuotaKind.ITEMS, QuotaKind.REQUESTS)
"""The kinds whose documents count as stored bytes: they do not expire while they wait."""


class QuotaReader:
    """Counts what an owner has, outside of transactions."""

    def __init__(self, mongo: Mongo, settings: QuotaSettings) -> None:
        self._mongo = mongo
        self._settings = settings

    async def count(self, kind: QuotaKind, owner: str, limit: int | None) -> float:
        return await count(self._aggregate, kind, owner, limit)

    async def count_pending_jobs(self, owner: str) -> int:
        limit = limit_of(self._settings, QuotaKind.PENDING_JOBS)
        return int(await self.count(QuotaKind.PENDING_JOBS, owner, limit))

    async def measure_bytes(self, owner: str) -> int:
        """Return the size of the owner's documents of the MEASURED kinds; reads all of them."""
        sizes = [self._measure(*COUNTED[kind], owner) for kind in MEASURED]
        return sum(await asyncio.gather(*sizes))

    async def _measure(self, collection: str, filter_: Document, owner: str) -> int:
        total = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
        found = await self._aggregate(collection, [{"$match": {"owner": owner, **filter_}}, total])
        return int(found[0]["bytes"]) if found else 0

    async def _aggregate(self, collection: str, pipeline: list[Document]) -> list[Document]:
        return await self._mongo[collection].aggregate(pipeline).to_list(None)
