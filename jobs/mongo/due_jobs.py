"""Finds the jobs to dispatch.

All reads are covered by an index, except for jobs without an owner. The cost of a read depends on
its result and on recently removed index entries, not on the number of pending jobs.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import NoneType
from typing import Any, Final, NamedTuple

from pymongo import ASCENDING

from ostinato.jobs.ids import is_id
from ostinato.jobs.lanes import Lane, PendingJob, lane_bounds
from ostinato.jobs.malformed import OUTSIDE_YEARS, report
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.mongo.poisoned_jobs import QUARANTINE_S
from ostinato.jobs.mongo.stored_json import restore
from ostinato.jobs.quarantine import Quarantine
from ostinato.jobs.records import JobState

PENDING: Final = {"state": JobState.PENDING.value}
DUE_ORDER: Final = {"state": 1, "lane": 1, "scheduledTime": 1, "_id": 1, "owner": 1}
COVERED: Final = {"scheduledTime": 1, "owner": 1}
VALID_DATES: Final = {
    "$gte": datetime.min.replace(tzinfo=UTC),
    "$lte": datetime.max.replace(tzinfo=UTC),
}
"""Other types, and dates that Python cannot represent, sort before or after this range."""
INVALID_DATE: Final = f"scheduledTime is not a date, or {OUTSIDE_YEARS}"
MAX_LANE: Final = "\x7f"  # lanes are ASCII
MAX_COUNT: Final = 1_000
MAX_MALFORMED_LOGGED: Final = 100  # per lane and read
MAX_MALFORMED_EXCLUDED: Final = 1_000  # ids per read
NON_STRING_IDS: Final = ""  # placeholder for all ids of other types, which may not be hashable


class AnyOwner(Enum):
    """The marker for jobs of every owner; None is the owner of system jobs."""

    ANY_OWNER = "anybody"


ANY_OWNER: Final = AnyOwner.ANY_OWNER
Owner = str | None | AnyOwner


class ScanPosition(NamedTuple):
    """The start of a scan within a lane."""

    time: datetime
    job_id: str | None
    """Start at this job, restricted to `time`; None: start at the first job from `time` on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimableJob:
    """A pending job with the inputs of its function's rate limit."""

    id: str
    lane: Lane
    key: Any
    """The argument that selects the limit's bucket."""
    version: int


class DueJobs:
    """The pending jobs by lane, scheduled time and owner."""

    def __init__(self, mongo: Mongo) -> None:
        self._database = mongo.database
        self._jobs = mongo[JOBS]
        self._malformed: Quarantine[str] = Quarantine(MAX_MALFORMED_EXCLUDED, QUARANTINE_S)

    async def lane_heads(self, queue: str) -> dict[Lane, datetime]:
        """Return the earliest scheduled time in each lane of a queue, without empty lanes."""
        return await self._heads(heads_pipeline(*lane_bounds(queue)))

    async def all_lane_heads(self) -> dict[Lane, datetime]:
        """Return the earliest scheduled time in each lane, without empty lanes."""
        return await self._heads(heads_pipeline("", MAX_LANE))

    async def find_earliest_due(self, paused: Collection[str]) -> datetime | None:
        """Return the earliest scheduled time of all pending jobs outside the paused queues."""
        heads = await self.all_lane_heads()
        return min((at for lane, at in heads.items() if lane.queue not in paused), default=None)

    async def _heads(self, pipeline: list[Document]) -> dict[Lane, datetime]:
        found = await self._aggregate("due", pipeline)
        rows = [(Lane.parse(row["_id"]), row["at"]) for row in found]
        heads = {lane: at for lane, at in rows if lane is not None and isinstance(at, datetime)}
        for lane, at in rows:
            if lane is not None and not isinstance(at, datetime):
                heads |= await self._head_past_malformed(lane)
        return heads

    async def _head_past_malformed(self, lane: Lane) -> dict[Lane, datetime]:
        """Find the first valid job of a lane with invalid dates at its head, and log those."""
        invalid = {**PENDING, "lane": str(lane), "$nor": [{"scheduledTime": VALID_DATES}]}
        async for row in self._jobs.find(invalid, {"_id": 1}, limit=MAX_MALFORMED_LOGGED):
            report(JOBS, row["_id"], ValueError(INVALID_DATE))
        first = await self.find_first(lane, 1, frozenset())
        return {job.lane: job.scheduled_time for job in first}

    async def find_first(
        self,
        lane: Lane,
        limit: int,
        excluded: frozenset[str],
        owner: Owner = ANY_OWNER,
        start: ScanPosition | None = None,
    ) -> list[PendingJob]:
        """Find the first pending jobs of a lane by scheduled time, due or not.

        `owner` and `start` narrow the scan; `excluded` contains ids. Malformed jobs are skipped.
        """
        if malformed := self._malformed.keys():
            excluded |= malformed

        def read(**hint: str) -> Awaitable[list[Document]]:
            found = self._jobs.find(
                {**PENDING, "lane": str(lane), **_owner_filter(owner), **_range(start, excluded)},
                COVERED,
                sort=[("scheduledTime", ASCENDING), ("_id", ASCENDING)],
                limit=limit,
                **hint,
            )
            return found.to_list(None)

        rows = await read_with_hint("due" if owner is ANY_OWNER else "fair", read)
        return [job for row in rows if (job := self._pending_job(row, lane)) is not None]

    def _pending_job(self, row: Document, lane: Lane) -> PendingJob | None:
        job_id, owner = row["_id"], row.get("owner")
        # bson.Code subclasses str, but is not hashable.
        is_text = type(job_id) is str
        if is_text and is_id(job_id) and type(owner) in (str, NoneType):
            return PendingJob(
                id=job_id, lane=lane, scheduled_time=row["scheduledTime"], owner=owner
            )
        report(JOBS, job_id, TypeError("its _id or owner is not in the form that Ostinato writes"))
        # Otherwise every read would return it before valid jobs.
        self._malformed.add(job_id if is_text else NON_STRING_IDS)
        return None

    async def find_owners(self, lane: Lane) -> list[str | None]:
        """Return the owners with pending jobs in a lane; costs one seek per owner."""
        found = await self._aggregate("fair", owners_pipeline(lane))
        return [row["_id"] for row in found if type(row["_id"]) in (str, NoneType)]

    async def count_due(self, lanes: Collection[Lane], now: datetime) -> Counter[str]:
        """Count the due jobs in lanes by queue, up to MAX_COUNT for a lane, in one query."""
        due: Document = {**PENDING, "scheduledTime": {**VALID_DATES, "$lte": now}}
        pipeline: list[Document] = [
            {"$documents": [{"lane": str(lane), "queue": lane.queue} for lane in lanes]},
            {
                "$lookup": {
                    "from": JOBS,
                    "localField": "lane",
                    "foreignField": "lane",
                    "pipeline": [{"$match": due}, {"$limit": MAX_COUNT}, {"$count": "jobs"}],
                    "as": "due",
                }
            },
            {"$unwind": "$due"},
        ]
        counts: Counter[str] = Counter()
        for row in await self._database.aggregate(pipeline).to_list(None) if lanes else ():
            counts[row["queue"]] += row["due"]["jobs"]
        return counts

    async def find_claimable(
        self, ids: Sequence[str], key: str | None, clock_time: ClockTime
    ) -> list[ClaimableJob]:
        """Return the pending, due jobs among `ids`, in the given order, with the value of the
        argument `key`."""
        fields = ["lane", "version"] if key is None else ["lane", "version", f"args.{key}"]
        due = {"$expr": {"$lte": ["$scheduledTime", transitions.now(clock_time)]}}
        found = self._jobs.find({**PENDING, "_id": {"$in": list(ids)}, **due}, fields)
        rows = {row["_id"]: row for row in await found.to_list(None)}
        return [_claimable(rows[job_id], key) for job_id in ids if job_id in rows]

    async def _aggregate(self, index: str, pipeline: list[Document]) -> list[Document]:
        return await read_with_hint(
            index, lambda **hint: self._jobs.aggregate(pipeline, **hint).to_list(None)
        )


async def has_several_owners(mongo: Mongo) -> bool:
    """Return whether the stored jobs, ended ones included, have more than one owner.

    No owner counts as an owner. Costs two seeks.
    """
    first, last = await asyncio.gather(*(_outer_owner(mongo, order) for order in (1, -1)))
    return first != last


async def _outer_owner(mongo: Mongo, order: int) -> list[object]:
    """Return the first owner of all jobs in ascending (1) or descending (-1) order, if any."""
    sort = [("owner", order), ("internal", order), ("_id", -order)]
    fields = {"_id": 0, "owner": 1}

    def read(**hint: str) -> Awaitable[list[Document]]:
        return mongo[JOBS].find({}, fields, sort=sort, limit=1, **hint).to_list(None)

    return [row.get("owner") for row in await read_with_hint("owner_newest", read)]


def heads_pipeline(lower: str, upper: str) -> list[Document]:
    """Build the pipeline that finds the first job of each lane: one seek per lane.

    `lower` is inclusive, `upper` exclusive.
    """
    return [
        {"$match": {**PENDING, "lane": {"$gte": lower, "$lt": upper}}},
        {"$sort": DUE_ORDER},
        {"$group": {"_id": "$lane", "at": {"$first": "$scheduledTime"}}},
    ]


def owners_pipeline(lane: Lane) -> list[Document]:
    """Build the pipeline that finds the owners of a lane's jobs: one seek per owner."""
    return [{"$match": {**PENDING, "lane": str(lane)}}, {"$group": {"_id": "$owner"}}]


def _owner_filter(owner: Owner) -> Document:
    if owner is ANY_OWNER:
        return {}
    # Equality to null also matches missing fields: MongoDB would have to fetch each document.
    return {"owner": {"$type": "null"} if owner is None else owner}


def _range(start: ScanPosition | None, excluded: frozenset[str]) -> Document:
    ids: Document = {"$nin": list(excluded)} if excluded else {}
    if NON_STRING_IDS in excluded:
        ids["$gte"] = NON_STRING_IDS  # matches only strings; covered by the index
    if start is None or start.job_id is None:
        times = VALID_DATES if start is None else {**VALID_DATES, "$gte": start.time}
        return {"scheduledTime": times, **({"_id": ids} if ids else {})}
    return {"scheduledTime": start.time, "_id": {**ids, "$gte": start.job_id}}


def _claimable(row: Document, key: str | None) -> ClaimableJob:
    lane = Lane.parse(row["lane"]) or Lane()
    args, version = row.get("args"), row.get("version")
    value = restore(args.get(key)) if isinstance(args, dict) and key is not None else None
    # The claim detects a malformed version.
    return ClaimableJob(
        id=row["_id"], lane=lane, key=value, version=version if isinstance(version, int) else 0
    )
