"""Groups the newest failures of a list by function and fingerprint."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.failure_groups import TREND_HOURS, FailureGroup, group_id, trend_start
from ostinato.jobs.filters import FailureFilter
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import FAILURES
from ostinato.jobs.mongo.page_queries import failure_filter_query, owned_by

MAX_GROUPED: Final = 10_000  # failures, of which only small fields are read: some 50 ms
MAX_GROUPS: Final = 1_000
GROUP_MS: Final = 5_000
HOUR_MS: Final = 3_600_000
_HAS_JOB: Final = {"$eq": [{"$type": "$jobId"}, "string"]}


async def group_failures(
    mongo: Mongo, owner: str | None, which: FailureFilter, now: datetime
) -> tuple[list[FailureGroup], bool]:
    """Return the groups of the newest failures, and whether these are all failures."""
    of_hour: Document = {"owner": "$owner", "name": "$functionName", "fingerprint": "$fingerprint"}
    start = trend_start(now)
    pipeline: list[dict[str, Any]] = [
        {"$match": owned_by(owner) | failure_filter_query(which)},
        {"$sort": {"_id": -1}},
        {"$limit": MAX_GROUPED + 1},
        {
            "$group": {
                "_id": {**of_hour, "hour": _hour_since(start)},
                "error": {"$first": "$error"},
                "newest": {"$first": "$_id"},
                "count": {"$sum": 1},
                "retryable": {"$sum": {"$cond": [_HAS_JOB, 1, 0]}},
                "first": {"$min": {"$ifNull": ["$firstAt", "$at"]}},
                "last": {"$max": "$at"},
            }
        },
        {"$sort": {"newest": -1}},
        {
            "$group": {
                "_id": {name: f"$_id.{name}" for name in of_hour},
                "error": {"$first": "$error"},
                "newest": {"$first": "$newest"},
                "count": {"$sum": "$count"},
                "retryable": {"$sum": "$retryable"},
                "first": {"$min": "$first"},
                "last": {"$max": "$last"},
                "hours": {"$push": {"hour": "$_id.hour", "count": "$count"}},
            }
        },
        {"$sort": {"last": -1}},
        {"$limit": MAX_GROUPS},
    ]
    found = await mongo[FAILURES].aggregate(pipeline, maxTimeMS=GROUP_MS).to_list(None)
    read = sum(each["count"] for each in found)
    is_exact = read <= MAX_GROUPED and len(found) < MAX_GROUPS
    groups = [group for each in found if (group := _group_from(each)) is not None]
    return groups, is_exact


def _hour_since(start: datetime) -> Document:
    """Build the expression for the hour of a failure, -1 before `start` and if it is malformed."""
    hour = {"$toInt": {"$floor": {"$divide": [{"$subtract": ["$at", start]}, HOUR_MS]}}}
    is_recent = {"$and": [{"$eq": [{"$type": "$at"}, "date"]}, {"$gte": ["$at", start]}]}
    return {"$cond": [is_recent, hour, -1]}


def _trend_of(hours: Sequence[Document]) -> tuple[int, ...]:
    counts = {each["hour"]: each["count"] for each in hours}
    return tuple(counts.get(hour, 0) for hour in range(TREND_HOURS))


def _group_from(found: Document) -> FailureGroup | None:
    """Return a group; None for malformed failures, which lists omit as well."""
    key, error = found["_id"], found["error"]
    owner, name, fingerprint = (key.get(each) for each in ("owner", "name", "fingerprint"))
    is_readable = (
        type(name) is str
        and all(value is None or type(value) is str for value in (owner, fingerprint))
        and isinstance(error, dict)
        and isinstance(found["last"], datetime)
        and isinstance(found["first"], datetime)
        and type(found["newest"]) is str
    )
    if not is_readable:
        return None
    return FailureGroup(
        id=group_id(owner, name, fingerprint),
        owner=owner,
        function_name=name,
        fingerprint=fingerprint,
        error_name=str(error.get("name")),
        message=str(error.get("message")),
        count=found["count"],
        retryable_count=found["retryable"],
        first_seen_at=found["first"],
        last_seen_at=found["last"],
        newest_id=found["newest"],
        trend=_trend_of(found["hours"]),
    )
