"""Malformed documents: well-formed ones in which some fields are missing or replaced."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from bson import encode
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.errors import InvalidBSON
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import WriteError

from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.transitions import event_fields

Document = dict[str, Any]
Db = Database[Document]

OWNERS: Final = ("mallory", "ada")  # an unknown user, and one who also has well-formed documents
LARGEST_BYTES: Final = 16 * 1024 * 1024
STATES: Final = ("pending", "pending", "pending", "inProgress", "success", "failed", "canceled")
WEIGHTS: Final[tuple[object, ...]] = ("heavy", None, -1, 0, float("nan"), [], Int64(2**62))
UNCHANGED: Final = ("_id", "paused")
"""Fields that are not changed: a paused queue would stop the run."""


def _nested(depth: int) -> Document:
    value: Document = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


VALUES: Final[tuple[object, ...]] = (
    *(None, "", "text", "\x00", "$owner", True, -1, 0, 1.5, float("nan"), float("inf"), 2**31),
    *(Int64(2**62), Decimal128("1e6000"), DatetimeMS(1_800_000_000_000_000), DatetimeMS(-(2**62))),
    *(ObjectId("f" * 24), Binary(b"\x00\xff"), Regex("(a+)+$"), Code("0"), Timestamp(1, 1)),
    *(MinKey(), MaxKey(), [], [[]], [None], {}, {"$ref": "x", "$id": 1}, {"": {"a.b": "$x"}}),
    *(_nested(120), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), "x" * 4_096),
)


@dataclass(frozen=True, slots=True)
class Malformed:
    collection: str
    document: Document


def generate(random: Random, number: int) -> list[Malformed]:
    """Build malformed documents for each collection, and one job that is too large."""
    documents = [
        Malformed(collection, damage(random, template(random)))
        for collection, template in TEMPLATES.items()
        for _ in range(number)
    ]
    queue = {"_id": "default", "weight": random.choice(WEIGHTS)}  # the queue of all jobs
    return [*documents, Malformed("jobs", too_large(random)), Malformed("queues", queue)]


def damage(random: Random, document: Document) -> Document:
    """Remove or replace one to three fields, nested ones too."""
    damaged = deepcopy(document)
    for _ in range(random.choice((1, 1, 2, 3))):
        target = damaged
        names = [name for name in target if name not in UNCHANGED]
        while names:
            name = random.choice(names)
            inner = target[name]
            if isinstance(inner, dict) and inner and random.random() < 0.5:
                target, names = inner, list(inner)
                continue
            _damage_field(random, target, name)
            break
    return damaged


def _damage_field(random: Random, document: Document, name: str) -> None:
    if random.random() < 0.3:
        del document[name]
    else:
        document[name] = deepcopy(random.choice(VALUES))


def too_large(random: Random) -> Document:
    """Build a due job whose timeline has no space for the event of its start."""
    job = _job(random, "pending")
    event = job["timeline"][0]
    size = len(encode({"x": event}))
    job["timeline"] = [{**event, "seq": seq + 1} for seq in range(LARGEST_BYTES // size - 200)]
    space = LARGEST_BYTES - len(encode(job)) - 100
    return {**job, "args": {**job["args"], "filler": "x" * space}}


def _job(random: Random, state: str = "") -> Document:
    now = datetime.now(UTC)
    job: Document = {
        "_id": new_id(),
        "state": state or random.choice(STATES),
        "lane": "default/",
        "scheduledTime": now,
        "owner": random.choice(OWNERS),
        "internal": False,
        "functionName": "ledger.touch",
        "cause": {"kind": "api"},
        "attempt": 0,
        "version": 1,
        "queue": "default",
        "priority": 0,
        "maxAttempts": 1,
        "retry": {"retries": 0, "baseMs": 1, "factor": 2, "jitter": 0.0, "maxMs": 1},
        "args": {"mark": "malformed"},
        "createdAt": now,
    }
    event = {"seq": 1, "at": now, "from": None, "state": "pending", "attempt": 0}
    job["timeline"] = [{**event, "nextRunAt": now, **event_fields(job)}]
    if job["state"] == "inProgress":
        job |= {"attempt": 1, "lease": {"worker": new_id(), "token": new_id()}, "startedAt": now}
    return job


def _cron(random: Random) -> Document:
    return {
        "_id": new_id(),
        "name": new_id(),
        "functionName": "ledger.touch",
        "args": {"mark": "malformed"},
        "schedule": random.choice(
            ({"kind": "interval", "ms": 1_000}, {"kind": "cron", "cronspec": "@daily", "tz": "UTC"})
        ),
        "nextRunTime": datetime.now(UTC),
        "owner": random.choice(OWNERS),
        "enabled": True,
        "version": 1,
        "overlap": "skip",
        "catchUp": "latest",
        "schedulerJobId": new_id(),
    }


def _task_config(random: Random) -> Document:
    return {
        "_id": new_id(),
        "taskId": new_id(),
        "owner": random.choice(OWNERS),
        "functionName": "ledger.touch",
        "args": {"mark": "malformed"},
        "intervalMs": 1_000,
        "enabled": True,
        "generation": 1,
        "nextRunTime": datetime.now(UTC),
        "schedulerJobId": new_id(),
        "version": 1,
    }


def _request(random: Random) -> Document:
    now = datetime.now(UTC)
    return {
        "_id": new_id(),
        "owner": random.choice(OWNERS),
        "state": "pending",
        "data": {"some": "data"},
        "timeoutAt": now,
        "createdAt": now,
        "version": 1,
        "processJobId": new_id(),
    }


def _batch(random: Random) -> Document:
    return {
        "_id": new_id(),
        "source": "items",
        "owner": random.choice(OWNERS),
        "state": "running",
        "batchSize": 10,
        "delayMs": 0,
        "cursor": None,
        "processed": 0,
        "total": None,
        "version": 1,
        "createdAt": datetime.now(UTC),
        "schedulerJobId": new_id(),
    }


def _item(random: Random) -> Document:
    return {"_id": new_id(), "owner": random.choice(OWNERS), "data": {}, "processed": False}


def _worker(_: Random) -> Document:
    now = datetime.now(UTC)
    return {
        "_id": new_id(),
        "host": "nowhere",
        "pid": 0,
        "version": "0",
        "concurrency": 1,
        "queues": ["default"],
        "running": 0,
        "jobIds": [],
        "startedAt": now,
        "heardAt": now,
    }


def _queue(_: Random) -> Document:
    return {"_id": f"malformed-{new_id()}", "paused": False, "weight": 1, "version": 1}


TEMPLATES: Final[Mapping[str, Callable[[Random], Document]]] = {
    "jobs": _job,
    "crons": _cron,
    "taskConfigs": _task_config,
    "requests": _request,
    "batches": _batch,
    "items": _item,
    "workers": _worker,
    "queues": _queue,
}
"""A builder of well-formed documents for each collection."""


def insert(db: Db, documents: Iterable[Malformed]) -> None:
    """Write documents, except those that an index rejects.

    MongoDB's error for such a write can contain a date outside the range of Python.
    """
    for malformed in documents:
        with suppress(WriteError, InvalidBSON):
            db[malformed.collection].replace_one(
                {"_id": malformed.document["_id"]}, malformed.document, upsert=True
            )


def remove(db: Db, documents: Iterable[Malformed]) -> None:
    for malformed in documents:
        db[malformed.collection].delete_one({"_id": malformed.document["_id"]})
