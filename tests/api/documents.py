"""Writes documents straight into the collections, as a past of the system would have left them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jobs.ids import new_id
from jobs.mongo.client import Mongo
from schema.ids import global_id

DUE: Final = datetime(2030, 1, 1, tzinfo=UTC)
ERROR: Final = {"name": "ValueError", "message": "no luck", "traceback": "line 1\nline 2"}


@dataclass(frozen=True, slots=True)
class Documents:
    """Each method inserts one document of an owner and returns its global id."""

    mongo: Mongo

    async def job(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {
            "functionName": "functions.greet",
            "args": {"name": "x", "times": 1},
            "internal": False,
            "state": "pending",
            "scheduledTime": DUE,
            "queue": "default",
            "priority": 0,
            "attempt": 0,
            "maxAttempts": 1,
            "retry": {"retries": 0, "baseMs": 1000, "factor": 2, "jitter": 0, "maxMs": 1000},
            "cause": {"kind": "api"},
            "createdAt": DUE,
            "timeline": [{"seq": 1, "at": DUE, "from": None, "state": "pending", "attempt": 0}],
        }
        return await self._insert("jobs", "Job", owner, document | fields)

    async def cron(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {
            "name": new_id(),
            "functionName": "functions.greet",
            "args": {"name": "x"},
            "schedule": {"kind": "interval", "ms": 60_000},
            "enabled": True,
            "nextRunTime": DUE,
            "overlap": "skip",
            "catchUp": "latest",
            "schedulerJobId": None,
            "skippedTicks": 0,
            "executions": [],
            "queuedTicks": [],
        }
        return await self._insert("crons", "Cron", owner, document | fields)

    async def recurring_task(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {
            "taskId": new_id(),
            "functionName": "functions.greet",
            "args": {"name": "x"},
            "intervalMs": 60_000,
            "enabled": True,
            "generation": 1,
            "nextRunTime": DUE,
            "schedulerJobId": None,
        }
        return await self._insert("taskConfigs", "RecurringTask", owner, document | fields)

    async def batch(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {
            "source": "items",
            "state": "running",
            "batchSize": 100,
            "delayMs": 1_000,
            "processed": 0,
            "total": 10,
            "createdAt": DUE,
            "cursor": None,
            "schedulerJobId": None,
        }
        return await self._insert("batches", "Batch", owner, document | fields)

    async def request(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {"state": "pending", "data": {"n": 1}, "timeoutAt": DUE, "createdAt": DUE}
        return await self._insert("requests", "Request", owner, document | fields)

    async def failure(self, owner: str | None = "ann", **fields: Any) -> str:
        document = {"functionName": "functions.greet", "error": ERROR, "attempts": 1, "at": DUE}
        return await self._insert("failures", "Failure", owner, document | fields)

    async def _insert(
        self, collection: str, type_name: str, owner: str | None, document: dict[str, Any]
    ) -> str:
        stored = {"_id": new_id(), "owner": owner, "version": 1} | document
        await self.mongo[collection].insert_one(stored)
        return global_id(type_name, stored["_id"])
