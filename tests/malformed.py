"""Malformed documents: for each collection, with every field missing or of another type."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bson import Binary, Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from ostinato.jobs.ids import new_id

Document = dict[str, Any]

DUE: Final = datetime(2030, 1, 1, tzinfo=UTC)
FAR_FUTURE: Final = DatetimeMS(
    1_800_000_000_000_000
)  # microseconds mistaken for milliseconds: year 59009

JOB: Final[Document] = {
    "functionName": "tasks.runTask",
    "args": {"name": "x"},
    "internal": False,
    "state": "pending",
    "scheduledTime": DUE,
    "queue": "default",
    "lane": "default/",
    "priority": 0,
    "attempt": 0,
    "maxAttempts": 1,
    "retry": {"retries": 0, "baseMs": 1000, "factor": 2, "jitter": 0, "maxMs": 1000},
    "cause": {"kind": "api"},
    "rootId": "0" * 24,
    "createdAt": DUE,
    "timeline": [{"seq": 1, "at": DUE, "from": None, "state": "pending", "attempt": 0}],
}
CRON: Final[Document] = {
    "name": "hourly",
    "functionName": "tasks.runTask",
    "args": {"name": "x"},
    "schedule": {"kind": "interval", "ms": 3_600_000},
    "enabled": True,
    "nextRunTime": DUE,
    "overlap": "skip",
    "catchUp": "latest",
    "schedulerJobId": None,
    "skippedTicks": 0,
    "executions": [],
    "queuedTicks": [],
}
CRON_TICK: Final[Document] = {
    "cronId": "c" * 24,
    "outcome": "missed",
    "reason": "downtime",
    "scheduledTime": DUE,
    "lastScheduledTime": DUE,
    "tickCount": 2,
    "recordedAt": DUE,
}
TASK: Final[Document] = {
    "taskId": "poll",
    "functionName": "tasks.runTask",
    "args": {"name": "x"},
    "intervalMs": 60_000,
    "enabled": True,
    "generation": 1,
    "nextRunTime": DUE,
    "schedulerJobId": None,
}
BATCH: Final[Document] = {
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
REQUEST: Final[Document] = {
    "state": "pending",
    "data": {"n": 1},
    "timeoutAt": DUE,
    "createdAt": DUE,
}
FAILURE: Final[Document] = {
    "functionName": "tasks.runTask",
    "error": {"name": "ValueError", "message": "no luck"},
    "attempts": 1,
    "at": DUE,
}
JOB_LOG: Final[Document] = {
    "jobId": "0" * 24,
    "attempt": 1,
    "last": "0001000001",
    "count": 1,
    "bytes": 90,
    "lines": [{"seq": 1, "at": DUE, "level": "info", "message": "seen", "fields": "{}"}],
}
ALERT: Final[Document] = {
    "kind": "cronLate",
    "subject": "0" * 24,
    "state": "open",
    "message": "The cron is late",
    "openedAt": DUE,
}
BULK_ACTION: Final[Document] = {
    "kind": "cancelJobs",
    "state": "running",
    "targetOwner": "ann",
    "filter": {},
    "cursor": None,
    "processed": 0,
    "total": None,
    "outcomes": {},
    "errors": [],
    "createdAt": DUE,
    "schedulerJobId": None,
}
VALID_FIELDS: Final[dict[str, Document]] = {
    "jobs": JOB,
    "crons": CRON,
    "cronTicks": CRON_TICK,
    "taskConfigs": TASK,
    "batches": BATCH,
    "requests": REQUEST,
    "failures": FAILURE,
    "jobLogs": JOB_LOG,
    "alerts": ALERT,
    "bulkActions": BULK_ACTION,
}
"""The fields that Ostinato writes in each collection, except id, owner and version."""

NAMES: Final = {"crons": "name", "taskConfigs": "taskId"}
"""Fields that are unique per owner."""

UNEXPECTED_VALUES: Final[dict[str, Any]] = {
    "null": None,
    "text": "soon",
    "number": 7,
    "huge number": 2**62,
    "NaN": float("nan"),
    "far date": FAR_FUTURE,
    "early date": DatetimeMS(-(2**62)),
    "object": {"a": {"b": 1}},
    "array": [1, [2]],
    "bytes": Binary(b"\xff\x00", 128),
    "object id": ObjectId("0" * 24),
    "pattern": Regex("(", "i"),
    "timestamp": Timestamp(1, 1),
    "true": True,
    "code": Code("pending"),  # a str subclass without a hash
    "decimal": Decimal128("1"),
    "reference": DBRef("jobs", {"a": 1}),
    "least": MinKey(),
    "greatest": MaxKey(),
}
"""Values that few or no fields may have; some are unhashable in Python."""


def valid_document(collection: str, owner: str | None = "ann", **fields: Any) -> Document:
    """Build a document like those that Ostinato writes."""
    names = {NAMES[collection]: new_id()} if collection in NAMES else {}
    return {
        "_id": new_id(),
        "owner": owner,
        "version": 1,
        **VALID_FIELDS[collection],
        **names,
        **fields,
    }


def malformed_documents(
    collection: str, owner: str | None = "ann"
) -> Iterator[tuple[str, Document]]:
    """Yield malformed documents of a collection, each with a description."""
    valid = valid_document(collection, owner)
    yield "empty", {"_id": new_id(), "owner": owner}
    for field in valid:
        if field in ("_id", "owner"):
            continue
        yield f"no {field}", _without(valid_document(collection, owner), field)
        for name, value in UNEXPECTED_VALUES.items():
            yield f"{field} is {name}", valid_document(collection, owner) | {field: value}
    for name, value in UNEXPECTED_VALUES.items():
        if name not in ("null", "text", "array", "pattern"):  # not allowed by MongoDB, or valid
            yield f"_id is {name}", valid_document(collection, owner) | {"_id": value}


def _without(document: Document, field: str) -> Document:
    return {name: value for name, value in document.items() if name != field}
