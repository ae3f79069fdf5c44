"""Reads the ledger of crons: pages of several crons in one query, and the newest runs of one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.cron_ledger import CronTick, TickOutcome
from ostinato.jobs.errors import Malformed
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import CRON_TICKS, JOBS
from ostinato.jobs.mongo.document_reader import DocumentReader, aggregate
from ostinato.jobs.mongo.page_queries import NEWEST_FIRST, KeysetQuery, Query, owned_by
from ostinato.jobs.paging import Page, Window, build_page
from ostinato.jobs.records import JobState
from ostinato.jobs.run_history import RunStart

MAX_NEWEST_TICKS: Final = 200  # of a cron, to find the newest runs among them
FIRST_EVENTS: Final = 4  # of a job: it starts with the second, unless it was postponed


@dataclass(frozen=True, slots=True)
class CronTickReads:
    """The reads of one database's ledger."""

    mongo: Mongo

    async def find_pages(
        self, owner: str | None, cron_ids: Collection[str], window: Window
    ) -> dict[str, Page[CronTick]]:
        """Return a page of records per cron, newest first, in one query; without malformed ones."""
        find = KeysetQuery.of(owned_by(owner), NEWEST_FIRST, window)
        pipeline: list[Query] = [
            {"$documents": [{"_id": cron_id} for cron_id in cron_ids]},
            _lookup_ticks(
                [{"$match": find.filter}, {"$sort": dict(find.sort)}, {"$limit": find.limit}]
            ),
            {"$unwind": "$tick"},
            {"$replaceWith": "$tick"},
        ]
        found: dict[str, list[CronTick]] = {cron_id: [] for cron_id in cron_ids}
        reader = DocumentReader(self.mongo, CronTick, frozenset())
        for each in await reader.read(aggregate(pipeline), None):
            if not isinstance(each.record, Malformed):
                found[each.record.cron_id].append(each.record)
        return {cron_id: build_page(ticks, window) for cron_id, ticks in found.items()}

    async def find_run_starts(self, cron_id: str, owner: str | None) -> list[RunStart]:
        """Return the starts of the newest runs whose jobs are stored and have started."""
        pipeline: list[Query] = [
            {"$match": {"cronId": cron_id, **owned_by(owner)}},
            {"$sort": {"_id": -1}},
            {"$limit": MAX_NEWEST_TICKS},
            {"$match": {"outcome": TickOutcome.RAN.value}},
            {
                "$lookup": {
                    "from": JOBS,
                    "localField": "jobId",
                    "foreignField": "_id",
                    "pipeline": [{"$project": {"events": {"$slice": ["$timeline", FIRST_EVENTS]}}}],
                    "as": "job",
                }
            },
            {"$unwind": "$job"},
            {
                "$project": {
                    "plannedAt": {"$add": ["$scheduledTime", {"$ifNull": ["$delayMs", 0]}]},
                    "states": "$job.events.state",
                    "times": "$job.events.at",
                }
            },
        ]
        rows = await self.mongo[CRON_TICKS].aggregate(pipeline).to_list(None)
        return [start for row in rows if (start := _run_start(row)) is not None]


def _lookup_ticks(pipeline: list[Query]) -> Query:
    return {
        "$lookup": {
            "from": CRON_TICKS,
            "localField": "_id",
            "foreignField": "cronId",
            "pipeline": pipeline,
            "as": "tick",
        }
    }


def _run_start(row: Mapping[str, Any]) -> RunStart | None:
    """Return the first start of a run; None if it has not started, or is malformed."""
    planned_at = row.get("plannedAt")
    for state, at in zip(row.get("states") or (), row.get("times") or (), strict=False):
        if state == JobState.IN_PROGRESS and isinstance(at, datetime):
            return RunStart(planned_at=planned_at, started_at=at) if planned_at else None
    return None
