"""Checks whether running workers serve every queue with due jobs, and lists open alerts."""

from collections.abc import Collection
from typing import Any, Final

from pymongo.database import Database

from ostinato.jobs.alerts import WATCHDOG
from ostinato.jobs.findings import Finding
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.collections import ALERTS, JOBS, LEADERS, QUEUES, WORKERS
from ostinato.jobs.mongo.due_jobs import MAX_LANE, heads_pipeline
from ostinato.jobs.mongo.workers import queues_of, serving_within

SUBJECT: Final = "queues"
MAX_LANES: Final = 1_000
MAX_ALERTS: Final = 20

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


def inspect_alerts(database: Rows) -> list[Finding]:
    """List the unresolved alerts, and whether an API process looks for reasons; no finding fails:
    what is wrong has findings of its own."""
    subject = "alerts"
    leader = database[LEADERS].find_one({"_id": WATCHDOG, "$expr": {"$gt": ["$until", "$$NOW"]}})
    unresolved = {"key": {"$exists": True}, "state": {"$in": ["open", "acknowledged"]}}
    rows = database[ALERTS].find(unresolved, {"message": 1}, sort=[("_id", -1)], limit=MAX_ALERTS)
    found = list(rows)
    if not found:
        who = "an" if leader else "no"
        return [Finding(subject=subject, detail=f"none is open; {who} API process watches")]
    return [Finding(subject=subject, detail=str(row.get("message"))) for row in found]


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
