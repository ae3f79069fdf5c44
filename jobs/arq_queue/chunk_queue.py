"""What is dispatched: arq jobs that carry a chunk of ids each. Redis holds due work only."""

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
EXPIRES_S: Final = 60  # a chunk that nobody took by then is dispatched anew long before

# A score far in the past: whether a chunk is due was decided by MongoDB's clock, not by the
# clock of the host that enqueues or takes it.
PAST_SCORE: Final = datetime(2000, 1, 1, tzinfo=UTC)

STALE_AFTER_S: Final = 5.0  # whoever took a chunk claims its ids within this time, or never
MAX_SIZE_DIGITS: Final = 4  # digits
_numbers = itertools.count()

IsPaused = Callable[[str], bool]
"""Told a queue; answers whether nobody is to take jobs from it now."""


@dataclass(frozen=True, slots=True)
class QueuedJobs:
    """What waits in Redis, by lane of all priorities."""

    counts: dict[Lane, int]
    ids: dict[Lane, frozenset[str]]
    """Those that this process put there."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of_queue(self, queue: str) -> int:
        return sum(count for lane, count in self.counts.items() if lane.queue == queue)


class ChunkQueue:
    """The arq queue as the dispatcher sees it. A chunk's name tells its size and its lane."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._ids: dict[bytes, tuple[str, ...]] = {}
        self._seen: dict[bytes, float] = {}

    async def put(self, ids: Sequence[str], more: bool, lane: Lane | None = None) -> None:
        """Enqueue a chunk; `more` asks its worker to ring when it has claimed it."""
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
        """Count the ids that wait in Redis, and name those this process put there.

        A chunk that stays too long is removed: its worker is gone, its ids are still pending. So is
        one of a closed queue: it would keep its place from the others.
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
    """Read which lane a chunk's jobs wait in; the default one for what others wrote there."""
    text = unquote(name.partition(b"|")[2].decode(errors="replace"))
    return Lane.parse(text) or Lane()


def _size(name: bytes) -> int:
    """Read how many ids a chunk carries; what others wrote there counts as one."""
    size = name.partition(b"|")[0].rpartition(b"-")[2]
    return int(size) if size.isdigit() and len(size) <= MAX_SIZE_DIGITS else 1
