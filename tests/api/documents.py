"""Documents inserted directly into the collections."""

from dataclasses import dataclass
from typing import Any, Final

from ostinato.jobs.mongo.client import Mongo
from ostinato.schema.ids import global_id
from tests.malformed import valid_document

GREETS: Final[dict[str, Any]] = {"functionName": "functions.greet"}
ERROR: Final = {"name": "ValueError", "message": "no luck", "traceback": "line 1\nline 2"}


@dataclass(frozen=True, slots=True)
class Documents:
    """Each method inserts one document of an owner and returns its global id."""

    mongo: Mongo

    async def job(self, owner: str | None = "ann", **fields: Any) -> str:
        args = {"name": "x", "times": 1}
        return await self._insert("jobs", "Job", owner, GREETS | {"args": args} | fields)

    async def cron(self, owner: str | None = "ann", **fields: Any) -> str:
        schedule = {"kind": "interval", "ms": 60_000}
        return await self._insert("crons", "Cron", owner, GREETS | {"schedule": schedule} | fields)

    async def cron_tick(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("cronTicks", "CronTick", owner, fields)

    async def recurring_task(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("taskConfigs", "RecurringTask", owner, GREETS | fields)

    async def batch(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("batches", "Batch", owner, fields)

    async def request(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("requests", "Request", owner, fields)

    async def failure(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("failures", "Failure", owner, GREETS | {"error": ERROR} | fields)

    async def alert(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("alerts", "Alert", owner, fields)

    async def bulk_action(self, owner: str | None = "ann", **fields: Any) -> str:
        return await self._insert("bulkActions", "BulkAction", owner, fields)

    async def _insert(
        self, collection: str, type_name: str, owner: str | None, fields: dict[str, Any]
    ) -> str:
        stored = valid_document(collection, owner) | fields
        await self.mongo[collection].insert_one(stored)
        return global_id(type_name, stored["_id"])
