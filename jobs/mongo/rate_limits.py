"""Owns the state of rate limits: the starts reserved and made of each, by the server's clock.

It runs the generic cell rate algorithm (GCRA) twice. `reserved` is advanced ahead of time, so that
each job gets its own start; `started` counts actual starts, so that jobs delayed by an outage do
not all start at once. A cell is `per_ms` long, in units of 1/count ms: all numbers are integers.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import BUCKETS
from ostinato.jobs.rate_limit import RateLimit

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_AHEAD_MS: Final = 5 * 365 * 24 * 60 * 60 * 1000
DISPATCH_AHEAD_MS: Final = 1_000  # a reserved start no longer yields to higher priorities or owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a limit allows for a request: some jobs start now, the others at reserved times."""

    start_now: int
    """How many may start now: those with a reservation first, then in the order of the request."""
    start_at: tuple[datetime, ...]
    """The reserved starts of the others, in the order of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchQuota:
    """How many jobs of a function without a key may be dispatched."""

    free: int
    next_at: datetime | None
    """When a job may be dispatched again, if none may be now."""


class RateLimitStore:
    """The buckets of rate limits: one for each function, policy and value of its key."""

    def __init__(self, mongo: Mongo) -> None:
        self._buckets = mongo[BUCKETS]

    async def acquire(
        self, bucket: str, limit: RateLimit, request: "StartRequest", offset_ms: int
    ) -> Grant:
        """Reserve starts for new jobs and count the starts that are allowed now, in one write."""
        pipeline = _acquire_pipeline(limit, request, transitions.now(offset_ms))
        while True:
            try:
                row: Document = await self._buckets.find_one_and_update(
                    {"_id": bucket}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # another worker created the bucket first
                continue
            return _build_grant(row, limit, request)

    async def read_quota(self, bucket: str, limit: RateLimit, now: datetime) -> DispatchQuota:
        """Return how many jobs can get a start within DISPATCH_AHEAD_MS."""
        row = await self._buckets.find_one({"_id": bucket}, {"reserved": 1})
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        reserved = row.get("reserved") if row else None
        furthest = (now_ms + MAX_AHEAD_MS) * limit.count
        if not isinstance(reserved, int | float) or not 0 <= reserved <= furthest:
            reserved = 0  # it is missing, or was not written by a worker
        first = _first_free(limit, max(int(reserved), now_ms * limit.count))
        ahead = (now_ms + DISPATCH_AHEAD_MS) * limit.count - first
        if ahead < 0:
            return DispatchQuota(
                free=0, next_at=_to_datetime(-(-first // limit.count) - DISPATCH_AHEAD_MS)
            )
        return DispatchQuota(free=ahead // limit.per_ms + 1, next_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """How many jobs of one bucket ask for a start."""

    new: int
    reserved: int
    """How many have a reserved start, which has come."""


def bucket_id(function: str, limit: RateLimit, key: Any) -> str:
    """Return the id of the bucket of a function, its policy and the value of its key."""
    policy = f"{function} {limit.count}/{limit.per_ms}/{limit.depth}"
    if limit.key is None:
        return policy
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), default=str)
    return f"{policy} {hashlib.sha256(text.encode()).hexdigest()}"


def _first_free(limit: RateLimit, row_end: int) -> int:
    """Return when the next cell may be used: a burst uses cells ahead of their time."""
    return row_end - (limit.depth - 1) * limit.per_ms


def _acquire_pipeline(limit: RateLimit, request: StartRequest, due: Any) -> list[Document]:
    cell, slack = limit.per_ms, (limit.depth - 1) * limit.per_ms
    at = {"$multiply": [{"$toLong": due}, limit.count]}
    at_once = _free_cells("$base", cell, slack, request.new)
    wanting = {"$add": [at_once, request.reserved]}
    end = {"$max": ["$reserved", "$started"]}
    return [
        {"$set": {"at": at}},
        {
            "$set": {
                "base": {"$max": ["$at", _valid_or_null("$reserved", limit)]},
                "meter": {"$max": ["$at", _valid_or_null("$started", limit)]},
            }
        },
        {"$set": {"granted": {"$min": [_free_cells("$meter", cell, slack, 1 << 31), wanting]}}},
        {
            "$set": {
                "wanting": wanting,
                "reserved": {"$add": ["$base", request.new * cell]},
                "started": {"$add": ["$meter", {"$multiply": ["$granted", cell]}]},
            }
        },
        {"$set": {"fullAt": {"$toDate": {"$toLong": {"$divide": [end, limit.count]}}}}},
    ]


def _valid_or_null(row_end: str, limit: RateLimit) -> Any:
    """Replace a value that no worker wrote by null: it would block the function's jobs forever."""
    furthest = {"$add": ["$at", MAX_AHEAD_MS * limit.count]}
    is_valid = {"$and": [{"$isNumber": row_end}, {"$lte": [row_end, furthest]}]}
    return {"$cond": [is_valid, row_end, None]}


def _free_cells(row_end: str, cell: int, slack: int, most: int) -> Any:
    """Count the cells that may be used now, up to `most`."""
    room = {"$subtract": [{"$add": ["$at", slack]}, row_end]}
    whole = {"$divide": [{"$subtract": [room, {"$mod": [room, cell]}]}, cell]}
    cells = {"$cond": [{"$lt": [room, 0]}, 0, {"$add": [{"$toLong": whole}, 1]}]}
    return {"$min": [cells, most]}


def _build_grant(row: Document, limit: RateLimit, request: StartRequest) -> Grant:
    granted, wanting = int(row["granted"]), int(row["wanting"])
    refused = _start_times(row, limit, row["started"], wanting - granted)
    at_once = wanting - request.reserved
    reserved = _start_times(row, limit, row["base"] + at_once * limit.per_ms, request.new - at_once)
    return Grant(start_now=granted, start_at=(*refused, *reserved))


def _start_times(row: Document, limit: RateLimit, row_end: int, number: int) -> list[datetime]:
    furthest = row["at"] // limit.count + MAX_AHEAD_MS
    first = _first_free(limit, row_end)
    ticks = (-(-(first + n * limit.per_ms) // limit.count) for n in range(number))
    return [_to_datetime(min(tick, furthest)) for tick in ticks]


def _to_datetime(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
