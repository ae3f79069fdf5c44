"""Finds what should go on and has no job that carries it on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any

from pymongo import ASCENDING

from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import BATCHES, CRONS, JOBS, REQUESTS, TASK_CONFIGS
from ostinato.jobs.records import BatchState, JobState, RequestState

AT_ONCE = 200  # a sweep looks every second: the next one reads on where this one ended


@dataclass(frozen=True, slots=True)
class Suspect:
    """A document that seems to have been left behind."""

    id: str
    owner: str | None


class MissingWork:
    """Reads through each kind by turns, so that nothing that is there for good hides the rest."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._places: dict[str, str] = {}

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
        late = await self._read(REQUESTS, {**pending, "timeoutAt": {"$lt": before}}, "late")
        old = {**pending, "createdAt": {"$lt": before}}
        cut_off = await self._without_job(REQUESTS, old, "processJobId")
        return [*_suspects(late), *cut_off]

    async def _without_job(
        self, collection: str, filter_: Mapping[str, Any], job_field: str = "schedulerJobId"
    ) -> list[Suspect]:
        rows = await self._read(collection, filter_, collection)
        wanted = [row[job_field] for row in rows if type(row.get(job_field)) is str]
        active = [JobState.PENDING.value, JobState.IN_PROGRESS.value]
        found = self._mongo[JOBS].find(
            {"_id": {"$in": wanted}, "state": {"$in": active}}, {"_id": 1}
        )
        alive = {job["_id"] for job in await found.to_list(None)} if wanted else set()
        left_behind = [row for row in rows if not _is_in(row.get(job_field), alive)]
        return _suspects(left_behind)

    async def _read(self, collection: str, filter_: Mapping[str, Any], turn: str) -> list[Document]:
        """Read the next that match, by their ids; after the last, the first again."""
        rows = self._mongo[collection].find(
            # Only ids of ours are text.
            {**filter_, "_id": {"$gt": self._places.get(turn, "")}},
            {"owner": 1, "schedulerJobId": 1, "processJobId": 1},
            sort=[("_id", ASCENDING)],
            limit=AT_ONCE,
            max_time_ms=5_000,
        )
        found: list[Document] = await rows.to_list(None)
        self._places[turn] = found[-1]["_id"] if len(found) == AT_ONCE else ""
        return found


def _suspects(rows: Iterable[Document]) -> list[Suspect]:
    # One with an owner of another type is nobody's: nobody could repair it.
    return [
        Suspect(row["_id"], row.get("owner"))
        for row in rows
        if type(row.get("owner")) in (str, NoneType)
    ]


def _is_in(job_id: object, alive: Collection[str]) -> bool:
    return type(job_id) is str and job_id in alive  # a Code is a str, too, but has no hash
