"""The Redis queue of dispatched jobs; it holds only due jobs.

A chunk is a batch of job ids in Redis, all of one limit lane: their priorities may differ. Each arq
job carries one chunk. Its name contains its size, its lane, and the tag of its owner if all its
jobs have the same one.
"""

import itertools
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms

from ostinato.jobs.arq_queue.connection import serialize
from ostinato.jobs.lanes import Lane

RUN_CHUNK: Final = "run_chunk"
EXPIRES_MS: Final = 60_000  # the jobs of an untaken chunk are redispatched long before this

# In the past: MongoDB's clock, not this host's, decides whether jobs are due.
PAST_SCORE: Final = 946_684_800_000  # 2000-01-01, in ms

STALE_AFTER_S: Final = 5.0  # a worker claims the ids of a chunk within this time, or never
MAX_SIZE_DIGITS: Final = 4
_numbers = itertools.count()

IsPaused = Callable[[str], bool]
"""Returns whether a queue is paused."""

SlotsAcquired = Callable[[int], None]
"""Is called with the number of a chunk's jobs that have got slots, each time some have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Due jobs for one claim."""

    ids: tuple[str, ...]
    owner_tags: tuple[str, ...]
    """The tag of each job's owner."""
    lane: Lane = field(default_factory=Lane)
    notify_after_claim: bool = False
    """Whether the worker signals the dispatcher after the claim."""

    @property
    def owner_tag(self) -> str | None:
        """The tag of the owner of all its jobs; None if they have several owners."""
        return self.owner_tags[0] if len(set(self.owner_tags)) == 1 else None


@dataclass(frozen=True, slots=True)
class QueuedJobs:
    """The jobs queued in Redis, by limit lane."""

    counts: dict[Lane, int]
    ids: dict[Lane, frozenset[str]]
    """Only ids that this process enqueued."""
    owner_tag_counts: Mapping[str, Counter[str]] = field(default_factory=dict)
    """The number of jobs by queue and tag of the owner; incomplete for chunks with several owners
    that another process enqueued."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of_queue(self, queue: str) -> int:
        return sum(count for lane, count in self.counts.items() if lane.queue == queue)

    def total_within(self, owner_limit: int | None) -> int:
        """Return the total, in which each owner counts for at most `owner_limit` jobs."""
        return self.total - _excess(sum(self.owner_tag_counts.values(), Counter()), owner_limit)

    def of_queue_within(self, queue: str, owner_limit: int | None) -> int:
        """Return the number of a queue's jobs; each owner counts for at most `owner_limit`."""
        return self.of_queue(queue) - _excess(self.owner_tag_counts.get(queue, {}), owner_limit)


class ChunkQueue:
    """The dispatcher's side of the arq queue."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._chunks: dict[bytes, Chunk] = {}
        self._first_seen_at: dict[bytes, float] = {}

    async def put(self, chunk: Chunk) -> None:
        """Enqueue a chunk."""
        order = f"{time.time_ns() // 1_000_000:012x}-{next(_numbers):06x}-{os.urandom(4).hex()}"
        lane = quote(str(chunk.lane), safe="/")
        name = f"{order}~{chunk.owner_tag or ''}-{len(chunk.ids)}|{lane}"
        owner_tags = () if chunk.owner_tag else (list(chunk.owner_tags),)
        content = serialize_job(
            RUN_CHUNK,
            (list(chunk.ids), chunk.notify_after_claim, *owner_tags),
            {},
            None,
            timestamp_ms(),
            serializer=serialize,
        )
        # Not arq's `enqueue_job`, which also looks for another job with the name: it is new.
        async with self._redis.pipeline(transaction=False) as commands:
            commands.set(f"{job_key_prefix}{name}", content, px=EXPIRES_MS)
            commands.zadd(self._queue, {name: PAST_SCORE})
            await commands.execute()
        self._chunks[name.encode()] = chunk

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
        self._chunks = {name: chunk for name, chunk in self._chunks.items() if name in live}
        counts: defaultdict[Lane, int] = defaultdict(int)
        ids: defaultdict[Lane, set[str]] = defaultdict(set)
        tag_counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name in live:
            lane, chunk = lane_of(name), self._chunks.get(name)
            counts[lane] += size_of(name)
            if chunk is not None:
                ids[lane].update(chunk.ids)
                tag_counts[lane.queue].update(chunk.owner_tags)
            elif owner_tag := owner_tag_of(name):
                tag_counts[lane.queue][owner_tag] += size_of(name)
        return QueuedJobs(
            dict(counts),
            {lane: frozenset(lane_ids) for lane, lane_ids in ids.items()},
            dict(tag_counts),
        )

    @property
    def _queue(self) -> str:
        return self._redis.default_queue_name


def lane_of(name: bytes) -> Lane:
    """Return the lane in a chunk's name; the default lane if the name is malformed."""
    text = unquote(name.partition(b"|")[2].decode(errors="replace"))
    return Lane.parse(text) or Lane()


def owner_tag_of(name: bytes) -> str:
    """Return the tag of the owner in a chunk's name; an empty string if it has none."""
    order = name.partition(b"|")[0].rpartition(b"-")[0]
    return order.partition(b"~")[2].decode(errors="replace")


def size_of(name: bytes) -> int:
    """Return the number of ids in a chunk's name; 1 if the name is malformed."""
    size = name.partition(b"|")[0].rpartition(b"-")[2]
    return int(size) if size.isdigit() and len(size) <= MAX_SIZE_DIGITS else 1


def _excess(tag_counts: Mapping[str, int], limit: int | None) -> int:
    if limit is None:
        return 0
    return sum(max(0, count - limit) for count in tag_counts.values())
