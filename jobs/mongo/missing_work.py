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
        """Find pending requests that should have timed out before an instant."""
        late = {"state": RequestState.PENDING.value, "timeoutAt": {"$lt": before}}
        rows = await self._read(REQUESTS, late)
        return [Suspect(row["_id"], row["owner"]) for row in rows]

    async def _without_job(self, collection: str, filter_: Mapping[str, Any]) -> list[Suspect]:
        rows = await self._read(collection, filter_)
        wanted = [row["schedulerJobId"] for row in rows if row.get("schedulerJobId")]
        active = [JobState.PENDING.value, JobState.IN_PROGRESS.value]
        found = self._mongo[JOBS].find(
            {"_id": {"$in": wanted}, "state": {"$in": active}}, {"_id": 1}
        )
        alive = {job["_id"] for job in await found.to_list(None)} if wanted else set()
        return [
            Suspect(row["_id"], row["owner"])
            for row in rows
            if row.get("schedulerJobId") not in alive
        ]

    async def _read(self, collection: str, filter_: Mapping[str, Any]) -> list[Document]:
        rows = self._mongo[collection].find(
            filter_, {"owner": 1, "schedulerJobId": 1}, limit=AT_ONCE, max_time_ms=5_000
        )
        return await rows.to_list(None)
