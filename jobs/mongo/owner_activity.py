"""The activity of one owner, computed from the timelines of their newest jobs.

Buckets for each owner would be as many writes as there are jobs in the worst case: see
docs/decisions/activity-is-counted-by-workers.md.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import log
from typing import Any, Final

from ostinato.jobs.activity import ActivityRange, BucketCounts
from ostinato.jobs.function_counters import FINE_BOUNDS_S, FINE_FACTOR
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.records import JobState

INDEX: Final = "owner_scheduled"
MAX_JOBS: Final = 5_000
MAX_RETRIED_JOBS: Final = 500
RETRIES_AHEAD: Final = timedelta(hours=1)
"""Jobs whose next attempt is due later are left out."""
MAX_JOB_EVENTS: Final = 50  # the newest of a timeline

Expression = Any  # an aggregation expression, as BSON


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerActivity:
    """What the newest jobs of an owner did, by start of the bucket."""

    counts: dict[datetime, BucketCounts]
    counted_from: datetime | None
    """None if no job was left out; otherwise, jobs that were due until then were."""


async def read_owner_activity(
    mongo: Mongo, owner: str, reach: ActivityRange, function_name: str | None, now: datetime
) -> OwnerActivity:
    """Read an owner's activity from the newest jobs that were due within twice the range."""
    buckets = reach.buckets
    start = buckets.starts(now)[0]
    earliest = start - buckets.count * buckets.size
    owned = {"owner": owner, "internal": False}
    due = {**owned, "scheduledTime": {"$gte": earliest, "$lte": now}}
    ahead = {**owned, "scheduledTime": {"$gt": now, "$lte": now + RETRIES_AHEAD}}
    retried = [{"$match": ahead}, *_first(MAX_RETRIED_JOBS, 1)]
    pipeline: list[Document] = [
        {"$match": due},
        *_first(MAX_JOBS, -1),
        {"$unionWith": {"coll": JOBS, "pipeline": retried}},
        *([] if function_name is None else [{"$match": {"functionName": function_name}}]),
        *_count_attempts(start, buckets.size_s),
    ]
    jobs = mongo[JOBS]
    omitted = jobs.find(due, {"_id": 0, "scheduledTime": 1}).sort("scheduledTime", -1)
    counted, left_out = await asyncio.gather(
        read_with_hint(INDEX, partial(_aggregate, mongo, pipeline)),
        omitted.skip(MAX_JOBS).limit(1).to_list(None),
    )
    return OwnerActivity(
        counts={buckets.start_of(row["_id"]): _counts_from(row["counts"]) for row in counted},
        counted_from=left_out[0]["scheduledTime"] if left_out else None,
    )


async def _aggregate(mongo: Mongo, pipeline: list[Document], **options: Any) -> list[Document]:
    return await mongo[JOBS].aggregate(pipeline, **options).to_list(None)


def _first(limit: int, order: int) -> list[Document]:
    return [{"$sort": {"scheduledTime": order, "_id": order}}, {"$limit": limit}]


def _count_attempts(start: datetime, bucket_s: int) -> list[Document]:
    """Build the stages that count the attempts that have ended since `start`.

    Their rows have the start of a bucket, and pairs of what is counted and its number.
    """
    begun_at, ended_at = "$attempt.begun.at", "$attempt.ended.at"
    lateness = {"$subtract": [begun_at, "$attempt.begun.scheduledTime"]}
    counted = [
        _what_ended("$attempt.ended"),
        {"$concat": ["run", _position({"$subtract": [ended_at, begun_at]})]},
        {"$concat": ["late", _position(lateness)]},
    ]
    bucket = {"$dateTrunc": {"date": ended_at, "unit": "second", "binSize": bucket_s}}
    pair = {"what": "$_id.what", "number": "$number"}
    return [
        {"$project": {"attempt": _attempts(start)}},
        {"$unwind": "$attempt"},
        {"$project": {"bucket": bucket, "what": counted}},
        {"$unwind": "$what"},
        {"$group": {"_id": {"bucket": "$bucket", "what": "$what"}, "number": {"$sum": 1}}},
        {"$group": {"_id": "$_id.bucket", "counts": {"$push": pair}}},
    ]


def _attempts(start: datetime) -> Expression:
    """Build the expression for pairs of events: an attempt's start, and its end since `start`."""
    events = {"$slice": ["$timeline", -MAX_JOB_EVENTS]}
    pair = {
        "begun": {"$arrayElemAt": ["$$events", {"$subtract": ["$$position", 1]}]},
        "ended": {"$arrayElemAt": ["$$events", "$$position"]},
    }
    positions = {"$range": [1, {"$size": "$$events"}]}
    pairs = {"$map": {"input": positions, "as": "position", "in": pair}}
    dates = ("$$pair.begun.at", "$$pair.begun.scheduledTime", "$$pair.ended.at")
    is_attempt = {
        "$and": [
            {"$eq": ["$$pair.begun.state", JobState.IN_PROGRESS.value]},
            {"$eq": ["$$pair.ended.from", JobState.IN_PROGRESS.value]},
            *({"$eq": [{"$type": each}, "date"]} for each in dates),
            {"$gte": ["$$pair.ended.at", start]},
        ]
    }
    ended = {"$filter": {"input": pairs, "as": "pair", "cond": is_attempt}}
    found = {"$let": {"vars": {"events": events}, "in": ended}}
    return {"$cond": [{"$isArray": "$timeline"}, found, []]}


def _what_ended(event: str) -> Expression:
    """Build the expression for what an attempt's end is counted as."""
    state, has_error = f"{event}.state", {"$eq": [{"$type": f"{event}.error"}, "object"]}
    retried = {"$and": [{"$eq": [state, JobState.PENDING.value]}, has_error]}
    branches = [
        {"case": {"$eq": [state, JobState.SUCCESS.value]}, "then": "succeeded"},
        {"case": {"$eq": [state, JobState.FAILED.value]}, "then": "failed"},
        {"case": retried, "then": "retried"},
    ]
    return {"$switch": {"branches": branches, "default": "stopped"}}


def _position(ms: Expression) -> Expression:
    """Build the expression for the position of a duration in FINE_BOUNDS_S, as text."""
    power = {"$ceil": {"$divide": [{"$ln": {"$max": [ms, 1]}}, log(FINE_FACTOR)]}}
    return {"$toString": {"$toInt": {"$min": [power, len(FINE_BOUNDS_S)]}}}


def _counts_from(pairs: Iterable[Document]) -> BucketCounts:
    counts = Counter({str(pair["what"]): int(pair["number"]) for pair in pairs})
    return BucketCounts(
        succeeded=counts["succeeded"],
        failed=counts["failed"],
        retried=counts["retried"],
        run_times=_positions(counts, "run"),
        lateness=_positions(counts, "late"),
    )


def _positions(counts: Counter[str], prefix: str) -> Counter[int]:
    return Counter(
        {
            int(what.removeprefix(prefix)): number
            for what, number in counts.items()
            if what.startswith(prefix)
        }
    )
