"""Rate limit state: reserved and actual starts, by the server's clock.

Runs the generic cell rate algorithm (GCRA) twice. `reserved` advances ahead of time and assigns a
start to each job; `started` counts actual starts, which prevents a burst after an outage. A cell is
`per_ms` long, in units of 1/count ms, so that all numbers are integers.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.lifecycle import MAX_DELAY_MS
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import BUCKETS
from ostinato.jobs.rate_limit import RateLimit

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_AHEAD_MS: Final = MAX_DELAY_MS  # a reserved start is the due time of a job
DISPATCH_AHEAD_MS: Final = 1_000  # reserved starts are exempt from priorities and fairness


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The response to a StartRequest: some jobs start now, the others at reserved times."""

    start_now: int
    """Number of jobs that may start now: reserved ones first, then in request order."""
    start_at: tuple[datetime, ...]
    """Reserved starts of the other jobs, in request order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchQuota:
    """The number of jobs that may be dispatched, for a rate limit without a key."""

    free: int
    next_at: datetime | None
    """Time of the next dispatch, if `free` is 0."""


class RateLimitStore:
    """Rate limit buckets: one per function, policy and key value."""

    def __init__(self, mongo: Mongo) -> None:
        self._buckets = mongo[BUCKETS]

    async def acquire(
        self, bucket: str, limit: RateLimit, request: "StartRequest", clock_time: ClockTime
    ) -> Grant:
        """Reserve starts for new jobs and count the starts that are allowed now, in one write."""
        pipeline = _acquire_pipeline(limit, request, transitions.now(clock_time))
        while True:
            try:
                row: Document = await self._buckets.find_one_and_update(
                    {"_id": bucket}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # another worker created the bucket first
                continue
            return _build_grant(row, limit, request)

    async def read_quota(self, bucket: str, limit: RateLimit, now: datetime) -> DispatchQuota:
        """Return the number of starts available within DISPATCH_AHEAD_MS."""
        row = await self._buckets.find_one({"_id": bucket}, {"reserved": 1})
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        reserved = row.get("reserved") if row else None
        furthest = (now_ms + MAX_AHEAD_MS) * limit.count
        if not isinstance(reserved, int | float) or not 0 <= reserved <= furthest:
            reserved = 0  # missing or malformed
        first = _first_free(limit, max(int(reserved), now_ms * limit.count))
        ahead = (now_ms + DISPATCH_AHEAD_MS) * limit.count - first
        if ahead < 0:
            return DispatchQuota(
                free=0, next_at=_to_datetime(-(-first // limit.count) - DISPATCH_AHEAD_MS)
            )
        return DispatchQuota(free=ahead // limit.per_ms + 1, next_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """The jobs of one bucket that are ready to start."""

    new: int
    reserved: int
    """Jobs whose reserved start has been reached."""


def bucket_id(function: str, limit: RateLimit, key: Any) -> str:
    """Return the bucket id of a function, policy and key value."""
    policy = f"{function} {limit.count}/{limit.per_ms}/{limit.depth}"
    if limit.key is None:
        return policy
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), default=str)
    return f"{policy} {hashlib.sha256(text.encode()).hexdigest()}"


def _first_free(limit: RateLimit, tat: int) -> int:
    """Return the start of the next free cell; bursts use cells early."""
    return tat - (limit.depth - 1) * limit.per_ms


def _acquire_pipeline(limit: RateLimit, request: StartRequest, now: Any) -> list[Document]:
    cell, slack = limit.per_ms, (limit.depth - 1) * limit.per_ms
    at = {"$multiply": [{"$toLong": now}, limit.count]}
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


def _valid_or_null(tat: str, limit: RateLimit) -> Any:
    """Replace a malformed value with null: it would block the function's jobs forever."""
    furthest = {"$add": ["$at", MAX_AHEAD_MS * limit.count]}
    is_valid = {"$and": [{"$isNumber": tat}, {"$lte": [tat, furthest]}]}
    return {"$cond": [is_valid, tat, None]}


def _free_cells(tat: str, cell: int, slack: int, maximum: int) -> Any:
    """Count the cells free now, up to `maximum`; `tat` is the theoretical arrival time."""
    capacity = {"$subtract": [{"$add": ["$at", slack]}, tat]}
    whole = {"$divide": [{"$subtract": [capacity, {"$mod": [capacity, cell]}]}, cell]}
    cells = {"$cond": [{"$lt": [capacity, 0]}, 0, {"$add": [{"$toLong": whole}, 1]}]}
    return {"$min": [cells, maximum]}


def _build_grant(row: Document, limit: RateLimit, request: StartRequest) -> Grant:
    granted, wanting = int(row["granted"]), int(row["wanting"])
    deferred = _start_times(row, limit, row["started"], wanting - granted)
    at_once = wanting - request.reserved
    reserved = _start_times(row, limit, row["base"] + at_once * limit.per_ms, request.new - at_once)
    return Grant(start_now=granted, start_at=(*deferred, *reserved))


def _start_times(row: Document, limit: RateLimit, tat: int, number: int) -> list[datetime]:
    furthest = row["at"] // limit.count + MAX_AHEAD_MS
    first = _first_free(limit, tat)
    ticks = (-(-(first + n * limit.per_ms) // limit.count) for n in range(number))
    return [_to_datetime(min(tick, furthest)) for tick in ticks]


def _to_datetime(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
