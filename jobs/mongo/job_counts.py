"""Job counts by state, each capped at MAX_COUNT and served by an index."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.records import JobCounts, JobState

MAX_COUNT: Final = 1_000  # higher counts are expensive, and of no use to users
STATE_INDEXES: Final = {
    JobState.PENDING: "due",
    JobState.IN_PROGRESS: "running",
    JobState.FAILED: "failed",
}
"""The index for each state across owners; queries for one owner need no hint."""


async def count_jobs(mongo: Mongo, owner: str | None) -> JobCounts:
    """Count an owner's jobs, or the jobs of all owners."""
    at = datetime.now(UTC)
    pending, in_progress, failed = await asyncio.gather(
        *(_count(mongo, owner, state) for state in STATE_INDEXES)
    )
    return JobCounts(at=at, pending=pending, in_progress=in_progress, failed=failed)


async def _count(mongo: Mongo, owner: str | None, state: JobState) -> int:
    matched: dict[str, Any] = {"state": state.value, "internal": False}
    if owner is not None:
        return int(
            await mongo["jobs"].count_documents({"owner": owner, **matched}, limit=MAX_COUNT)
        )
    count = partial(mongo["jobs"].count_documents, matched, limit=MAX_COUNT)
    return int(await read_with_hint(STATE_INDEXES[state], count))
