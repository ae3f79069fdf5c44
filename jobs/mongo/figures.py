"""Reads what an operator watches: who works, and since when the oldest due job waits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import WORKERS
from ostinato.jobs.mongo.due_jobs import DueJobs


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTotals:
    """What the workers that were heard of within their lease said of themselves, together."""

    workers: int = 0
    slots: int = 0
    running: int = 0
    """How many of the slots are taken."""
    loop_lag_ms: int = 0
    """The worst of their event loops, since the heartbeat before."""


async def read_worker_totals(mongo: Mongo, lease_ms: int) -> WorkerTotals:
    """Add up the heartbeats; the dead are left out, also when nobody is there to sweep them."""
    alive = {"$gte": ["$heardAt", {"$subtract": ["$$NOW", lease_ms]}]}
    totals = {
        "workers": {"$sum": 1},
        "slots": {"$sum": "$concurrency"},
        "running": {"$sum": "$running"},
        "loop_lag_ms": {"$max": {"$cond": [{"$isNumber": "$loopLagMs"}, "$loopLagMs", 0]}},
    }
    found = mongo[WORKERS].aggregate(
        [
            {"$match": {"$expr": alive}},
            {"$group": {"_id": None, **totals}},
            {"$unset": "_id"},
        ]
    )
    rows = await found.to_list(None)
    return WorkerTotals(**rows[0]) if rows else WorkerTotals()


async def read_earliest_due(mongo: Mongo, paused: Collection[str]) -> datetime | None:
    """Find when the first pending job is or was due, but for paused queues: one seek a lane."""
    heads = await DueJobs(mongo).all_lane_heads()
    return min((at for lane, at in heads.items() if lane.queue not in paused), default=None)
