"""Counts jobs by state, as far as that is cheap: each count stops at a bound and uses an index."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.records import JobState

MOST: Final = 1_000  # counting on costs more and tells nobody more
OF_EVERYBODY: Final = {
    JobState.PENDING: "due",
    JobState.IN_PROGRESS: "running",
    JobState.FAILED: "failed",
}
"""The index that has a state's jobs of all owners; an owner's are found without being told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many ordinary jobs there are, each counted up to `MOST`."""

    at: datetime
    """Real time, by this host's clock."""
    pending: int
    in_progress: int
    failed: int


async def count_jobs(mongo: Mongo, owner: str | None) -> JobCounts:
    """Count an owner's jobs, or everybody's."""
    at = datetime.now(UTC)
    pending, in_progress, failed = await asyncio.gather(
        *(_count(mongo, owner, state) for state in OF_EVERYBODY)
    )
    return JobCounts(at=at, pending=pending, in_progress=in_progress, failed=failed)


async def _count(mongo: Mongo, owner: str | None, state: JobState) -> int:
    matched: dict[str, Any] = {"state": state.value, "internal": False}
    if owner is not None:
        return int(await mongo["jobs"].count_documents({"owner": owner, **matched}, limit=MOST))
    count = partial(mongo["jobs"].count_documents, matched, limit=MOST)
    return int(await read_with_hint(OF_EVERYBODY[state], count))
