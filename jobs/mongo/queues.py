"""The queues that are not as every queue is at first: paused, or with a weight of their own."""

from pymongo import ReturnDocument

from jobs.lanes import Queue
from jobs.mongo.client import Document, Mongo
from jobs.mongo.collections import QUEUES


class QueueStore:
    def __init__(self, mongo: Mongo) -> None:
        self._queues = mongo[QUEUES]

    async def all(self) -> dict[str, Queue]:
        """Read every queue that has a document."""
        rows = await self._queues.find({}).to_list(None)
        return {row["_id"]: _queue(row) for row in rows}

    async def pause(self, name: str) -> Queue:
        """Pause a queue; one that is paused stays as it is."""
        return await self._set(name, {"paused": True})

    async def resume(self, name: str, weight: int | None) -> Queue:
        """Resume a queue, and give it another weight if there is one."""
        return await self._set(name, {"paused": False, **({"weight": weight} if weight else {})})

    async def _set(self, name: str, fields: Document) -> Queue:
        changes = {"$or": [{"$ne": [f"${field}", value]} for field, value in fields.items()]}
        version = {"$ifNull": ["$version", 0]}
        defaults = {"weight": {"$ifNull": ["$weight", 1]}}
        row: Document = await self._queues.find_one_and_update(
            {"_id": name},
            [
                {"$set": {"version": {"$add": [version, {"$cond": [changes, 1, 0]}]}, **defaults}},
                {"$set": fields},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return _queue(row)


def _queue(row: Document) -> Queue:
    return Queue(
        name=row["_id"], paused=row["paused"], weight=row["weight"], version=row["version"]
    )
