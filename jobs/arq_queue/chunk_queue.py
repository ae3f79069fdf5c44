"""The Redis queue of dispatched jobs; it holds only due jobs.

A chunk is a batch of job ids in Redis, all of one limit lane: their priorities may differ. Each arq
job carries one chunk.
"""

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

from arq.connections import ArqRedis

from ostinato.jobs.lanes import Lane

RUN_CHUNK: Final = "run_chunk"
EXPIRES_S: Final = 60  # the jobs of an untaken chunk are redispatched long before this

# In the past: MongoDB's clock, not this host's, decides whether jobs are due.
PAST_SCORE: Final = datetime(2000, 1, 1, tzinfo=UTC)

STALE_AFTER_S: Final = 5.0  # a worker claims the ids of a chunk within this time, or never
MAX_SIZE_DIGITS: Final = 4
_numbers = itertools.count()

IsPaused = Callable[[str], bool]
"""Returns whether a queue is paused."""


@dataclass(frozen=True, slots=True)
class QueuedJobs:
    """The jobs queued in Redis, by limit lane."""

    counts: dict[Lane, int]
    ids: dict[Lane, frozenset[str]]
    """Only ids that this process enqueued."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of_queue(self, queue: str) -> int:
        return sum(count for lane, count in self.counts.items() if lane.queue == queue)


class ChunkQueue:
    """The dispatcher's side of the arq queue. A chunk's name contains its size and its lane."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._ids: dict[bytes, tuple[str, ...]] = {}
        self._first_seen_at: dict[bytes, float] = {}

    async def put(
        self, ids: Sequence[str], notify_after_claim: bool, lane: Lane | None = None
    ) -> None:
        """Enqueue a chunk; with `notify_after_claim`, its worker then signals the dispatcher."""
        order = f"{time.time_ns() // 1_000_000:012x}-{next(_numbers):06x}-{os.urandom(4).hex()}"
        name = f"{order}-{len(ids)}|{quote(str(lane or Lane()), safe='/')}"
        await self._redis.enqueue_job(
            RUN_CHUNK,
            list(ids),
            notify_after_claim,
            _job_id=name,
            _defer_until=PAST_SCORE,
            _expires=EXPIRES_S,
        )
        self._ids[name.encode()] = tuple(ids)

    async def queued(self, is_paused: IsPaused = lambda queue: False) -> QueuedJobs:
        """Read the queued jobs.

        Removes stale chunks (their worker is gone, and their jobs are still pending) and chunks of
        paused queues, which would use up queue capacity.
        """
        now = time.monotonic()
        names = await self._redis.zrange(self._queue, 0, -1)
        self._first_seen_at = {name: self._first_seen_at.get(name, now) for name in names}
        stale = [
            name
            for name, since in self._first_seen_at.items()
            if now - since > STALE_AFTER_S or is_paused(lane_of(name).queue)
        ]
        if stale:
            await self._redis.zrem(self._queue, *stale)
        live = self._first_seen_at.keys() - stale
        self._ids = {name: ids for name, ids in self._ids.items() if name in live}
        counts: defaultdict[Lane, int] = defaultdict(int)
        ids: defaultdict[Lane, set[str]] = defaultdict(set)
        for name in live:
            lane = lane_of(name)
            counts[lane] += _size(name)
            ids[lane].update(self._ids.get(name, ()))
        return QueuedJobs(dict(counts), {lane: frozenset(some) for lane, some in ids.items()})

    @property
    def _queue(self) -> str:
        return self._redis.default_queue_name


def lane_of(name: bytes) -> Lane:
    """Return the lane in a chunk's name; the default lane if the name is malformed."""
    text = unquote(name.partition(b"|")[2].decode(errors="replace"))
    return Lane.parse(text) or Lane()


def _size(name: bytes) -> int:
    """Return the number of ids in a chunk's name; 1 if the name is malformed."""
    size = name.partition(b"|")[0].rpartition(b"-")[2]
    return int(size) if size.isdigit() and len(size) <= MAX_SIZE_DIGITS else 1
