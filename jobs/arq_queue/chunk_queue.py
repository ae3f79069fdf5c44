"""The queue of dispatched jobs: each arq job carries a chunk of ids. Redis holds only due jobs."""

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
EXPIRES_S: Final = 60  # a chunk that was not taken is dispatched again long before

# A score far in the past, so that no host's clock decides whether a chunk is due: MongoDB's did.
PAST_SCORE: Final = datetime(2000, 1, 1, tzinfo=UTC)

STALE_AFTER_S: Final = 5.0  # a worker claims the ids of a chunk within this time, or never
MAX_SIZE_DIGITS: Final = 4  # digits
_numbers = itertools.count()

IsPaused = Callable[[str], bool]
"""Returns whether a queue is paused."""


@dataclass(frozen=True, slots=True)
class QueuedJobs:
    """The jobs that wait in Redis, by limit key."""

    counts: dict[Lane, int]
    ids: dict[Lane, frozenset[str]]
    """Those that were put there by this process."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of_queue(self, queue: str) -> int:
        return sum(count for lane, count in self.counts.items() if lane.queue == queue)


class ChunkQueue:
    """The arq queue as the dispatcher uses it. A chunk's name contains its size and its lane."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._ids: dict[bytes, tuple[str, ...]] = {}
        self._seen: dict[bytes, float] = {}

    async def put(self, ids: Sequence[str], more: bool, lane: Lane | None = None) -> None:
        """Enqueue a chunk; with `more`, its worker notifies the dispatcher after the claim."""
        order = f"{time.time_ns() // 1_000_000:012x}-{next(_numbers):06x}-{os.urandom(4).hex()}"
        name = f"{order}-{len(ids)}|{quote(str(lane or Lane()), safe='/')}"
        await self._redis.enqueue_job(
            RUN_CHUNK,
            list(ids),
            more,
            _job_id=name,
            _defer_until=PAST_SCORE,
            _expires=EXPIRES_S,
        )
        self._ids[name.encode()] = tuple(ids)

    async def queued(self, is_paused: IsPaused = lambda queue: False) -> QueuedJobs:
        """Read which jobs wait in Redis.

        Removes chunks that are stale (their worker is gone, and their jobs are still pending) and
        chunks of paused queues, which would take room from the others.
        """
        now = time.monotonic()
        names = await self._redis.zrange(self._queue, 0, -1)
        self._seen = {name: self._seen.get(name, now) for name in names}
        stale = [
            name
            for name, since in self._seen.items()
            if now - since > STALE_AFTER_S or is_paused(lane_of(name).queue)
        ]
        if stale:
            await self._redis.zrem(self._queue, *stale)
        live = self._seen.keys() - stale
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
