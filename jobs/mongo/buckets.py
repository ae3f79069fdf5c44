"""Rate limits: what has been reserved of each, and what has started, by the server's clock.

The generic cell rate algorithm, twice: one cell row is reserved ahead, so that each job gets a
start of its own; the other counts what really starts, so that what comes late, after an outage
say, does not start all at once. A cell is `per_ms` long in units of 1/count ms: all integers.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.mongo import moves
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import BUCKETS
from ostinato.jobs.rate_limit import RateLimit

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FURTHEST_MS: Final = 5 * 365 * 24 * 60 * 60 * 1000
AHEAD_MS: Final = 1_000  # what is reserved no longer gives way to a higher priority, or others


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a limit allows: some start now, in the order of asking; the others have starts."""

    now: int
    """How many may start at once: those with a reservation first."""
    later: tuple[datetime, ...]
    """The starts of the others, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What may be dispatched of a function without a key."""

    room: int
    next_at: datetime | None
    """When there will be room, if there is none."""


class Buckets:
    def __init__(self, mongo: Mongo) -> None:
        self._buckets = mongo[BUCKETS]

    async def take(self, bucket: str, limit: RateLimit, asked: "Asked", offset_ms: int) -> Grant:
        """Reserve starts for new jobs, and let start what may: in one write."""
        pipeline = _taking(limit, asked, moves.now(offset_ms))
        while True:
            try:
                row: Document = await self._buckets.find_one_and_update(
                    {"_id": bucket}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # another made the bucket first
                continue
            return _granted(row, limit, asked)

    async def allowance(self, bucket: str, limit: RateLimit, now: datetime) -> Allowance:
        """Say how many jobs may be given starts that are near."""
        row = await self._buckets.find_one({"_id": bucket}, {"reserved": 1})
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        reserved = row.get("reserved") if row else None
        furthest = (now_ms + FURTHEST_MS) * limit.count
        if not isinstance(reserved, int | float) or not 0 <= reserved <= furthest:
            reserved = 0  # there is none, or it was not written by a worker
        first = _first(limit, max(int(reserved), now_ms * limit.count))
        ahead = (now_ms + AHEAD_MS) * limit.count - first
        if ahead < 0:
            return Allowance(room=0, next_at=_instant(-(-first // limit.count) - AHEAD_MS))
        return Allowance(room=ahead // limit.per_ms + 1, next_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many jobs ask for a start."""

    new: int
    reserved: int
    """Those whose reserved start has come."""


def bucket_id(function: str, limit: RateLimit, key: Any) -> str:
    """Name the bucket of a function, its policy and the value of its key."""
    policy = f"{function} {limit.count}/{limit.per_ms}/{limit.depth}"
    if limit.key is None:
        return policy
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), default=str)
    return f"{policy} {hashlib.sha256(text.encode()).hexdigest()}"


def _first(limit: RateLimit, row_end: int) -> int:
    """Give when the next cell may be used: a burst uses cells before their time."""
    return row_end - (limit.depth - 1) * limit.per_ms


def _taking(limit: RateLimit, asked: Asked, due: Any) -> list[Document]:
    cell, slack = limit.per_ms, (limit.depth - 1) * limit.per_ms
    at = {"$multiply": [{"$toLong": due}, limit.count]}
    at_once = _cells("$base", cell, slack, asked.new)
    wanting = {"$add": [at_once, asked.reserved]}
    end = {"$max": ["$reserved", "$started"]}
    return [
        {"$set": {"at": at}},
        {
            "$set": {
                "base": {"$max": ["$at", _usable("$reserved", limit)]},
                "meter": {"$max": ["$at", _usable("$started", limit)]},
            }
        },
        {"$set": {"granted": {"$min": [_cells("$meter", cell, slack, 1 << 31), wanting]}}},
        {
            "$set": {
                "wanting": wanting,
                "reserved": {"$add": ["$base", asked.new * cell]},
                "started": {"$add": ["$meter", {"$multiply": ["$granted", cell]}]},
            }
        },
        {"$set": {"fullAt": {"$toDate": {"$toLong": {"$divide": [end, limit.count]}}}}},
    ]


def _usable(row_end: str, limit: RateLimit) -> Any:
    """Leave out what no worker has written: it would hold up the function's jobs for ever."""
    furthest = {"$add": ["$at", FURTHEST_MS * limit.count]}
    is_usable = {"$and": [{"$isNumber": row_end}, {"$lte": [row_end, furthest]}]}
    return {"$cond": [is_usable, row_end, None]}


def _cells(row_end: str, cell: int, slack: int, most: int) -> Any:
    """Count the cells that may be used now, at most so many."""
    room = {"$subtract": [{"$add": ["$at", slack]}, row_end]}
    whole = {"$divide": [{"$subtract": [room, {"$mod": [room, cell]}]}, cell]}
    cells = {"$cond": [{"$lt": [room, 0]}, 0, {"$add": [{"$toLong": whole}, 1]}]}
    return {"$min": [cells, most]}


def _granted(row: Document, limit: RateLimit, asked: Asked) -> Grant:
    granted, wanting = int(row["granted"]), int(row["wanting"])
    refused = _starts(row, limit, row["started"], wanting - granted)
    at_once = wanting - asked.reserved
    reserved = _starts(row, limit, row["base"] + at_once * limit.per_ms, asked.new - at_once)
    return Grant(now=granted, later=(*refused, *reserved))


def _starts(row: Document, limit: RateLimit, row_end: int, number: int) -> list[datetime]:
    furthest = row["at"] // limit.count + FURTHEST_MS
    first = _first(limit, row_end)
    ticks = (-(-(first + n * limit.per_ms) // limit.count) for n in range(number))
    return [_instant(min(tick, furthest)) for tick in ticks]


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
