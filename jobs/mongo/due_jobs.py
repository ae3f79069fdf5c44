"""Reads what may be dispatched. Every read is answered by an index alone, but for jobs of nobody,
and costs what it returns, however many jobs are planned; but it walks over what left the index
lately."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from types import NoneType
from typing import Any, Final, NamedTuple

from pymongo import ASCENDING

from ostinato.jobs.ids import is_id
from ostinato.jobs.lanes import Lane, PendingJob, bounds_of
from ostinato.jobs.malformed import OUTSIDE_YEARS, report
from ostinato.jobs.mongo import moves
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import with_index
from ostinato.jobs.mongo.poison import Quarantine
from ostinato.jobs.mongo.stored_json import restore
from ostinato.jobs.records import JobState

PENDING: Final = {"state": JobState.PENDING.value}
DUE_ORDER: Final = {"state": 1, "lane": 1, "scheduledTime": 1, "_id": 1, "owner": 1}
COVERED: Final = {"scheduledTime": 1, "owner": 1}
DATES: Final = {
    "$gte": datetime.min.replace(tzinfo=UTC),
    "$lte": datetime.max.replace(tzinfo=UTC),
}
"""What is no date, or one that Python does not have, sorts before all jobs or after them."""
UNDATED: Final = f"scheduledTime is not a date, or {OUTSIDE_YEARS}"
MAX_LANE: Final = "\x7f"  # lanes are of ASCII
COUNTED: Final = 1_000
MALFORMED_SHOWN: Final = 100  # that are logged of a lane at once
MALFORMED_AT_MOST: Final = 1_000  # that a read leaves out by their ids
NOT_TEXT: Final = ""  # no id: stands for all ids that are no text, some of which have no hash


class Anybody(Enum):
    """Stands for jobs of every owner: None is an owner, too."""

    ANYBODY = "anybody"


ANYBODY: Final = Anybody.ANYBODY
Owner = str | None | Anybody


class Place(NamedTuple):
    """Where in a lane a read begins."""

    time: datetime
    job_id: str | None
    """Begin at this job and read those due at that time only; None: all from that time on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """A pending job, as its function's rate limit needs to know it."""

    id: str
    lane: Lane
    key: Any
    """The argument that the limit goes by."""
    version: int


class DueJobs:
    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo[JOBS]
        self._malformed: Quarantine[str] = Quarantine(MALFORMED_AT_MOST)

    async def heads(self, queue: str) -> dict[Lane, datetime]:
        """Give each lane of a queue with pending jobs, and when its first is due."""
        return await self._heads(heads_of(queue))

    async def all_heads(self) -> dict[Lane, datetime]:
        """Give each lane with pending jobs, and when its first is due."""
        return await self._heads(heads_between("", MAX_LANE))

    async def _heads(self, pipeline: list[Document]) -> dict[Lane, datetime]:
        found = await self._aggregate("due", pipeline)
        rows = [(Lane.parse(row["_id"]), row["at"]) for row in found]
        heads = {lane: at for lane, at in rows if lane is not None and isinstance(at, datetime)}
        for lane, at in rows:
            if lane is not None and not isinstance(at, datetime):
                heads |= await self._head_past_malformed(lane)
        return heads

    async def _head_past_malformed(self, lane: Lane) -> dict[Lane, datetime]:
        """Find the head of a lane that begins with jobs due at no time, or one too far away."""
        undated = {**PENDING, "lane": str(lane), "$nor": [{"scheduledTime": DATES}]}
        async for row in self._jobs.find(undated, {"_id": 1}, limit=MALFORMED_SHOWN):
            report(JOBS, row["_id"], ValueError(UNDATED))
        first = await self.first(lane, 1, frozenset())
        return {job.lane: job.scheduled_time for job in first}

    async def queues(self) -> set[str]:
        """Give the queues with pending jobs, a thousand lanes at most."""
        found = await self._aggregate(
            "due",
            [
                {"$match": {**PENDING, "lane": {"$gte": "", "$lt": MAX_LANE}}},
                {"$group": {"_id": "$lane"}},
                {"$limit": COUNTED},
            ],
        )
        lanes = [Lane.parse(row["_id"]) for row in found]
        return {lane.queue for lane in lanes if lane is not None}

    async def first(
        self,
        lane: Lane,
        limit: int,
        but: frozenset[str],
        owner: Owner = ANYBODY,
        place: Place | None = None,
    ) -> list[PendingJob]:
        """Find the first pending jobs of a lane, due or not, in the order of their times; of one
        owner, and from a place on, if they are given. Malformed ones are left out."""
        if malformed := self._malformed.ids():
            but |= malformed

        def read(**hint: str) -> Awaitable[list[Document]]:
            found = self._jobs.find(
                {**PENDING, "lane": str(lane), **_owned(owner), **_from(place, but)},
                COVERED,
                sort=[("scheduledTime", ASCENDING), ("_id", ASCENDING)],
                limit=limit,
                **hint,
            )
            return found.to_list(None)

        rows = await with_index("due" if owner is ANYBODY else "fair", read)
        return [job for row in rows if (job := self._waiting(row, lane)) is not None]

    def _waiting(self, row: Document, lane: Lane) -> PendingJob | None:
        job_id, owner = row["_id"], row.get("owner")
        # A Code is a str, too, but has no hash.
        is_text = type(job_id) is str
        if is_text and is_id(job_id) and type(owner) in (str, NoneType):
            return PendingJob(
                id=job_id, lane=lane, scheduled_time=row["scheduledTime"], owner=owner
            )
        report(JOBS, job_id, TypeError("its _id or owner is not as Ostinato writes it"))
        # Or it would stand before others in each read.
        self._malformed.add(job_id if is_text else NOT_TEXT)
        return None

    async def owners(self, lane: Lane) -> list[str | None]:
        """Give everybody who has pending jobs in a lane; costs a seek an owner."""
        found = await self._aggregate("fair", owners_of(lane))
        return [row["_id"] for row in found if type(row["_id"]) in (str, NoneType)]

    async def count(self, queue: str, now: datetime) -> int:
        """Count the due jobs that wait in a queue, up to a thousand."""
        due = [str(lane) for lane, at in (await self.heads(queue)).items() if at <= now]
        counted = 0
        for lane in due:
            where: Document = {**PENDING, "lane": lane, "scheduledTime": {**DATES, "$lte": now}}
            rest = COUNTED - counted
            if rest <= 0:
                break
            counted += await with_index(
                "due", partial(self._jobs.count_documents, where, limit=rest)
            )
        return counted

    async def claimable(
        self, ids: Sequence[str], key: str | None, offset_ms: int
    ) -> list[Claimable]:
        """Read those of `ids` that are pending and due, in their order, with an argument."""
        fields = ["lane", "version"] if key is None else ["lane", "version", f"args.{key}"]
        due = {"$expr": {"$lte": ["$scheduledTime", moves.now(offset_ms)]}}
        found = self._jobs.find({**PENDING, "_id": {"$in": list(ids)}, **due}, fields)
        rows = {row["_id"]: row for row in await found.to_list(None)}
        return [_claimable(rows[job_id], key) for job_id in ids if job_id in rows]

    async def _aggregate(self, index: str, pipeline: list[Document]) -> list[Document]:
        return await with_index(
            index, lambda **hint: self._jobs.aggregate(pipeline, **hint).to_list(None)
        )


def heads_of(queue: str) -> list[Document]:
    """Build the pipeline that finds the first job of each lane: one seek a lane."""
    return heads_between(*bounds_of(queue))


def heads_between(lower: str, upper: str) -> list[Document]:
    """Build the same for lanes between two texts, the upper one excluded."""
    return [
        {"$match": {**PENDING, "lane": {"$gte": lower, "$lt": upper}}},
        {"$sort": DUE_ORDER},
        {"$group": {"_id": "$lane", "at": {"$first": "$scheduledTime"}}},
    ]


def owners_of(lane: Lane) -> list[Document]:
    """Build the pipeline that finds who has jobs in a lane: one seek an owner."""
    return [{"$match": {**PENDING, "lane": str(lane)}}, {"$group": {"_id": "$owner"}}]


def _owned(owner: Owner) -> Document:
    if owner is ANYBODY:
        return {}
    # Equal to null would be a missing field, too, for which each document is read in vain.
    return {"owner": {"$type": "null"} if owner is None else owner}


def _from(place: Place | None, but: frozenset[str]) -> Document:
    ids: Document = {"$nin": list(but)} if but else {}
    if NOT_TEXT in but:
        ids["$gte"] = NOT_TEXT  # text only: the index answers it
    if place is None or place.job_id is None:
        times = DATES if place is None else {**DATES, "$gte": place.time}
        return {"scheduledTime": times, **({"_id": ids} if ids else {})}
    return {"scheduledTime": place.time, "_id": {**ids, "$gte": place.job_id}}


def _claimable(row: Document, key: str | None) -> Claimable:
    lane = Lane.parse(row["lane"]) or Lane()
    args, version = row.get("args"), row.get("version")
    value = restore(args.get(key)) if isinstance(args, dict) and key is not None else None
    # What somebody else wrote there is found out by the claim.
    return Claimable(
        id=row["_id"], lane=lane, key=value, version=version if isinstance(version, int) else 0
    )
