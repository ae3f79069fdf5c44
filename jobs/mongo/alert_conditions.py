"""Reads what the watchdog judges: silent workers, late crons, running jobs, and failures."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from ostinato.jobs.alerts import MAX_SUBJECTS
from ostinato.jobs.lifecycle import FINAL_STATES
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import CRONS, JOBS, WORKERS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.records import CauseKind, JobState

RECENT_FAILURES: Final = 2_000  # failed jobs, across owners, whose crons are checked
MAX_TIME_MS: Final = 5_000


class ConditionReader:
    """The reads of one watchdog; malformed documents are skipped."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def read_silence(self) -> timedelta | None:
        """Return the time since the newest heartbeat of a worker; None if none is registered."""
        newest = {"$group": {"_id": None, "at": {"$max": "$heardAt"}}}
        found = self._mongo[WORKERS].aggregate(
            [
                {"$match": {"heardAt": {"$type": "date"}}},
                newest,
                {"$project": {"ms": {"$subtract": ["$$NOW", "$at"]}}},
            ]
        )
        rows = await found.to_list(None)
        return timedelta(milliseconds=max(rows[0]["ms"], 0)) if rows else None

    async def find_late_crons(self, before: datetime) -> list[Document]:
        """Return enabled crons that were due before `before`, the latest first."""
        found = self._mongo[CRONS].find(
            {"enabled": True, "nextRunTime": {"$lt": before}},
            {"name": 1, "owner": 1, "nextRunTime": 1},
            sort=[("nextRunTime", ASCENDING)],
            limit=MAX_SUBJECTS,
            max_time_ms=MAX_TIME_MS,
        )
        rows = await found.to_list(None)
        return [row for row in rows if _is_whole(row, "name", at="nextRunTime")]

    async def find_long_running(self, before: datetime) -> list[Document]:
        """Return jobs that have run since `before`, the oldest start first."""
        running = {"state": JobState.IN_PROGRESS.value, "startedAt": {"$lt": before}}
        fields = {"owner": 1, "functionName": 1, "startedAt": 1, "timeoutMs": 1}
        options: dict[str, Any] = {
            "sort": [("startedAt", ASCENDING)],
            "limit": 10 * MAX_SUBJECTS,
            "max_time_ms": MAX_TIME_MS,
        }
        jobs = self._mongo[JOBS]
        rows = await read_with_hint(
            "running", lambda **hint: jobs.find(running, fields, **options, **hint).to_list(None)
        )
        return [row for row in rows if _is_whole(row, "functionName", at="startedAt")]

    async def find_failing_crons(self, failures: int) -> list[Document]:
        """Return enabled crons whose last runs have failed, among those that failed recently."""
        recent = self._mongo[JOBS].aggregate(
            [
                {"$match": {"state": JobState.FAILED.value}},
                {"$sort": {"_id": DESCENDING}},
                {"$limit": RECENT_FAILURES},
                {"$match": {"cause.kind": CauseKind.CRON.value}},
                {"$project": {"cause": 1}},
            ],
            maxTimeMS=MAX_TIME_MS,
        )
        ids = dict.fromkeys(_cron_ids(await recent.to_list(None)))
        enabled = {"_id": {"$in": list(ids)}, "enabled": True}
        crons = await self._mongo[CRONS].find(enabled, {"name": 1, "owner": 1}).to_list(None)
        found: list[Document] = []
        for cron in crons:
            may_be_added = _is_whole(cron, "name") and len(found) < MAX_SUBJECTS
            if may_be_added and await self._have_failed(cron["_id"], failures):
                found.append(cron)
        return found

    async def _have_failed(self, cron_id: str, failures: int) -> bool:
        """Return whether the last ended runs of a cron have failed."""
        runs = self._mongo[JOBS].find(
            {
                "cause.id": cron_id,
                "internal": False,
                "state": {"$in": sorted(FINAL_STATES - {JobState.CANCELED})},
            },
            {"state": 1},
            sort=[("_id", DESCENDING)],
            limit=failures,
            max_time_ms=MAX_TIME_MS,
        )
        states = [run["state"] for run in await runs.to_list(None)]
        return len(states) == failures and set(states) == {JobState.FAILED.value}


def _cron_ids(rows: list[Document]) -> Iterator[str]:
    for row in rows:
        cause = row.get("cause")
        if isinstance(cause, Mapping) and type(cause.get("id")) is str:
            yield cause["id"]


def _is_whole(row: Document, name: str, at: str | None = None) -> bool:
    """Return whether the id and the name are texts, the owner is one or null, and the time is a
    date."""
    owner = row.get("owner", 0)
    is_owned = owner is None or type(owner) is str
    is_named = type(row["_id"]) is str and type(row.get(name)) is str
    return is_owned and is_named and (at is None or isinstance(row[at], datetime))
