"""Deletes what has ended: batches, requests, processed items and stopped recurring tasks.

Finished jobs have a time of their own, and MongoDB's TTL index deletes them.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import BATCHES, ITEMS, REQUESTS, TASK_CONFIGS
from ostinato.jobs.records import BatchState, RequestState

BATCH_SIZE: Final = 1_000  # of each kind per sweep, every second

ENDED_BATCHES: Final = [
    each.value for each in BatchState if each not in (BatchState.RUNNING, BatchState.PAUSED)
]
ENDED_REQUESTS: Final = [each.value for each in RequestState if each is not RequestState.PENDING]

ENDED: Final[Sequence[tuple[str, str, Document]]] = (
    (BATCHES, "completedAt", {"state": {"$in": ENDED_BATCHES}}),
    (REQUESTS, "completedAt", {"state": {"$in": ENDED_REQUESTS}}),
    (ITEMS, "processedAt", {"processed": True}),
    (TASK_CONFIGS, "stoppedAt", {"enabled": False}),
)
"""The collections, the indexed field that contains the time of the end, and a filter."""


async def delete_expired(mongo: Mongo, before: datetime) -> dict[str, int]:
    """Delete what ended before `before`, at most BATCH_SIZE of each kind.

    Returns the number of deleted documents, by collection.
    """
    deleted = await asyncio.gather(*(_delete(mongo, before, *each) for each in ENDED))
    return dict(zip((each[0] for each in ENDED), deleted, strict=True))


async def _delete(
    mongo: Mongo, before: datetime, collection: str, field: str, is_ended: Document
) -> int:
    expired = {field: {"$lt": before}, **is_ended}
    found = mongo[collection].find(expired, {"_id": 1}, sort=[(field, 1)], limit=BATCH_SIZE)
    ids = [document["_id"] for document in await found.to_list(None)]
    if not ids:
        return 0
    # Again with the filter: a task may have been started in the meantime.
    result = await mongo[collection].delete_many({"_id": {"$in": ids}, **expired})
    return result.deleted_count
