"""Counts the jobs of an owner, or of all, in every state at one instant."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from ostinato.jobs.job_totals import JobTotals
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.mongo.job_counts import count_jobs
from ostinato.jobs.records import JobState

MAX_JOBS: Final = 50_000  # 0.2 s, while the jobs are in MongoDB's cache
OWNER_INDEX: Final = "owner_newest"


async def read_job_totals(mongo: Mongo, owner: str | None, now: datetime) -> JobTotals:
    """Count the newest MAX_JOBS jobs, without internal ones.

    If there are more, the counts of `count_jobs`, which has an index for each of its states, are
    used where they are higher.
    """
    rows = await _count_newest(mongo, owner, now)
    counts: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        found = row["_id"]
        if found["internal"] is False:
            counts[str(found["state"]), bool(found["isDue"])] += row["number"]
    totals = _totals_from(now, counts)
    if sum(row["number"] for row in rows) < MAX_JOBS:
        return totals
    return totals.at_least(await count_jobs(mongo, owner))


async def _count_newest(mongo: Mongo, owner: str | None, now: datetime) -> Sequence[Document]:
    group = {
        "state": "$state",
        "internal": "$internal",
        "isDue": {"$lte": ["$scheduledTime", now]},
    }
    counted: list[Document] = [
        {"$sort": {"_id": -1}},
        {"$limit": MAX_JOBS},
        {"$group": {"_id": group, "number": {"$sum": 1}}},
    ]
    if owner is None:
        return await mongo.aggregate(JOBS, counted)
    owned = [{"$match": {"owner": owner, "internal": False}}, *counted]
    return await read_with_hint(OWNER_INDEX, partial(_aggregate, mongo, owned))


async def _aggregate(mongo: Mongo, pipeline: list[Document], **options: Any) -> list[Document]:
    return await mongo[JOBS].aggregate(pipeline, **options).to_list(None)


def _totals_from(now: datetime, counts: Counter[tuple[str, bool]]) -> JobTotals:
    def number(state: JobState) -> int:
        return counts[state.value, True] + counts[state.value, False]

    return JobTotals(
        at=now,
        pending_due=counts[JobState.PENDING.value, True],
        pending_scheduled=counts[JobState.PENDING.value, False],
        in_progress=number(JobState.IN_PROGRESS),
        succeeded=number(JobState.SUCCESS),
        failed=number(JobState.FAILED),
        canceled=number(JobState.CANCELED),
    )
