"""Queue settings: the paused flag and the weight."""

from pymongo import ReturnDocument

from ostinato.jobs.lanes import MAX_WEIGHT, Queue, is_queue_name
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import QUEUES


class QueueStore:
    """The settings of queues; a queue without a document has the defaults."""

    def __init__(self, mongo: Mongo) -> None:
        self._queues = mongo[QUEUES]

    async def all(self) -> dict[str, Queue]:
        """Return the queues that have a document, by name."""
        rows = await self._queues.find({}).to_list(None)
        queues = (_queue(row) for row in rows if is_queue_document(row))
        return {queue.name: queue for queue in queues}

    async def pause(self, name: str) -> Queue:
        """Pause a queue; idempotent."""
        return await self._set(name, {"paused": True})

    async def resume(self, name: str, weight: int | None) -> Queue:
        """Resume a queue, and set its weight if given."""
        return await self._set(name, {"paused": False, **({"weight": weight} if weight else {})})

    async def _set(self, name: str, fields: Document) -> Queue:
        changes = {"$or": [{"$ne": [f"${field}", value]} for field, value in fields.items()]}
        version = {"$cond": [{"$isNumber": "$version"}, "$version", 0]}
        defaults = {"weight": {"$cond": [{"$isNumber": "$weight"}, "$weight", 1]}}
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


def is_queue_document(row: Document) -> bool:
    """Return whether the document's id is a queue name; logs invalid ids."""
    name = row["_id"]
    is_queue = type(name) is str and is_queue_name(name)  # bson.Code is not hashable
    if not is_queue:
        report(QUEUES, name, ValueError("the _id must be the name of a queue"))
    return is_queue


def _queue(row: Document) -> Queue:
    """Decode a queue; missing and malformed fields get their defaults."""
    paused, weight = row.get("paused", False), row.get("weight", 1)
    version = row.get("version", 0)
    wrong = [
        *([] if isinstance(paused, bool | int) else ["paused"]),
        *([] if _is_whole(weight, 1) else ["weight"]),
        *([] if _is_whole(version, 0) else ["version"]),
    ]
    if wrong:
        report(QUEUES, row["_id"], ValueError(_problem_of(wrong)))
    return Queue(
        name=row["_id"],
        paused="paused" not in wrong and bool(paused),
        weight=1 if "weight" in wrong else min(int(weight), MAX_WEIGHT),
        version=0 if "version" in wrong else int(version),
    )


def _problem_of(wrong: list[str]) -> str:
    forms = {"paused": "true or false", "weight": "a whole number from 1"}
    parts = [f"{name} must be {forms.get(name, 'a whole number')}" for name in wrong]
    return f"{'; '.join(parts)}; the default is used instead"


def _is_whole(number: object, minimum: int) -> bool:
    """Return whether `number` is a 32-bit whole number; the MongoDB shell writes 5 as 5.0."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and minimum <= number < 2**31 and number % 1 == 0  # type: ignore[operator]
