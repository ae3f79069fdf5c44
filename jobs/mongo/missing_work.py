"""Finds what should go on and has no job that carries it on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.mongo.client import Document, Mongo
from jobs.mongo.collections import BATCHES, CRONS, JOBS, REQUESTS, TASK_CONFIGS
from jobs.records import BatchState, JobState, RequestState

AT_ONCE = 200  # a sweep looks every second: the rest is found by the next ones


@dataclass(frozen=True, slots=True)
class Suspect:
    """A document that seems to have been left behind."""

    id: str
    owner: str | None


class MissingWork:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def crons(self, before: datetime) -> list[Suspect]:
        """Find enabled crons that were due before an instant, without a pending tick."""
        return await self._without_job(CRONS, {"enabled": True, "nextRunTime": {"$lt": before}})

    async def recurring_tasks(self, before: datetime) -> list[Suspect]:
        due = {"enabled": True, "nextRunTime": {"$lt": before}}
        return await self._without_job(TASK_CONFIGS, due)

    async def batches(self, before: datetime) -> list[Suspect]:
        """Find running batches without a page to come; `before` is not needed here."""
        return await self._without_job(BATCHES, {"state": BatchState.RUNNING.value})

    async def requests(self, before: datetime) -> list[Suspect]:
        """Find pending requests, of before an instant, that are late or that nobody processes."""
        pending = {"state": RequestState.PENDING.value}
        late = await self._read(REQUESTS, {**pending, "timeoutAt": {"$lt": before}})
        old = {**pending, "createdAt": {"$lt": before}}
        cut_off = await self._without_job(REQUESTS, old, "processJobId")
        return [*(Suspect(row["_id"], row["owner"]) for row in late), *cut_off]

    async def _without_job(
        self, collection: str, filter_: Mapping[str, Any], job_field: str = "schedulerJobId"
    ) -> list[Suspect]:
        rows = await self._read(collection, filter_)
        wanted = [row[job_field] for row in rows if row.get(job_field)]
        active = [JobState.PENDING.value, JobState.IN_PROGRESS.value]
        found = self._mongo[JOBS].find(
            {"_id": {"$in": wanted}, "state": {"$in": active}}, {"_id": 1}
        )
        alive = {job["_id"] for job in await found.to_list(None)} if wanted else set()
        return [
            Suspect(row["_id"], row["owner"]) for row in rows if row.get(job_field) not in alive
        ]

    async def _read(self, collection: str, filter_: Mapping[str, Any]) -> list[Document]:
        rows = self._mongo[collection].find(
            filter_,
            {"owner": 1, "schedulerJobId": 1, "processJobId": 1},
            limit=AT_ONCE,
            max_time_ms=5_000,
        )
        return await rows.to_list(None)
