"""Checks whether running workers serve every queue with due jobs."""

from collections.abc import Collection
from typing import Any, Final

from pymongo.database import Database

from ostinato.jobs.findings import Finding
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.collections import JOBS, QUEUES, WORKERS
from ostinato.jobs.mongo.due_jobs import MAX_LANE, heads_pipeline
from ostinato.jobs.mongo.workers import queues_of, serving_within

SUBJECT: Final = "queues"
MAX_LANES: Final = 1_000

Rows = Database[dict[str, Any]]


def inspect_queues(database: Rows, lease_ms: int) -> list[Finding]:
    """Find queues with due jobs that no running worker serves; one finding per queue."""
    served = _served(database, lease_ms)
    serving = (
        f"running workers take jobs from {_named(served)}" if served else "no worker is running"
    )
    due = _due(database)
    unserved = [queue for queue in sorted(due) if queue not in served]
    paused = [
        Finding(subject=SUBJECT, detail=f"{queue!r} is paused, and jobs are due in it")
        for queue in sorted(due & served & _paused(database))
    ]
    if not unserved:
        detail = f"no due job waits for a worker; {serving}"
        return paused or [Finding(subject=SUBJECT, detail=detail)]
    return paused + [
        Finding(
            subject=SUBJECT,
            detail=f"jobs are due in {queue!r}, and {serving}",
            fix=f"start a worker with {queue!r} in its OSTINATO_QUEUES",
        )
        for queue in unserved
    ]


def _served(database: Rows, lease_ms: int) -> frozenset[str]:
    return queues_of(database[WORKERS].find(serving_within(lease_ms), {"queues": 1}))


def _due(database: Rows) -> set[str]:
    found = database[JOBS].aggregate(
        [
            *heads_pipeline("", MAX_LANE),
            {"$match": {"$expr": {"$lte": ["$at", "$$NOW"]}}},
            {"$limit": MAX_LANES},
        ]
    )
    lanes = [Lane.parse(row["_id"]) for row in found]
    return {lane.queue for lane in lanes if lane is not None}


def _paused(database: Rows) -> set[str]:
    rows = database[QUEUES].find({"paused": True, "_id": {"$type": "string"}}, {"_id": 1})
    return {row["_id"] for row in rows}


def _named(queues: Collection[str]) -> str:
    return ", ".join(repr(queue) for queue in sorted(queues))
