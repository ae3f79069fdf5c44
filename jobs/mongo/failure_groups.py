"""Groups the newest failures of a list by function and fingerprint."""

from datetime import datetime
from typing import Any, Final

from ostinato.jobs.failure_groups import FailureGroup, group_id
from ostinato.jobs.filters import FailureFilter
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import FAILURES
from ostinato.jobs.mongo.page_queries import failure_filter_query, owned_by

MAX_GROUPED: Final = 10_000  # failures, of which only small fields are read: some 50 ms
MAX_GROUPS: Final = 1_000
GROUP_MS: Final = 5_000


async def group_failures(
    mongo: Mongo, owner: str | None, which: FailureFilter
) -> tuple[list[FailureGroup], bool]:
    """Return the groups of the newest failures, and whether these are all failures."""
    first: Document = {name: {"$first": f"${name}"} for name in ("error", "_id")}
    pipeline: list[dict[str, Any]] = [
        {"$match": owned_by(owner) | failure_filter_query(which)},
        {"$sort": {"_id": -1}},
        {"$limit": MAX_GROUPED + 1},
        {
            "$group": {
                "_id": {"owner": "$owner", "name": "$functionName", "fingerprint": "$fingerprint"},
                "error": first["error"],
                "newest": first["_id"],
                "count": {"$sum": 1},
                "first": {"$min": "$at"},
                "last": {"$max": "$at"},
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
        first_seen_at=found["first"],
        last_seen_at=found["last"],
        newest_id=found["newest"],
    )
