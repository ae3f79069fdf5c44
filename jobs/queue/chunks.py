"""What is dispatched: arq jobs that carry a chunk of ids each. Redis holds due work only."""

import itertools
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from arq.connections import ArqRedis

RUN_CHUNK: Final = "run_chunk"
EXPIRES_S: Final = 60  # a chunk that nobody took by then is dispatched anew long before

# A score far in the past: whether a chunk is due was decided by MongoDB's clock, not by the
# clock of the host that enqueues or takes it.
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)

STALE_S: Final = 5.0  # whoever took a chunk claims its ids within this time, or never
LONGEST_SIZE: Final = 4  # digits
_numbers = itertools.count()


class Chunks:
    """The arq queue as the dispatcher sees it."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._ids: dict[bytes, tuple[str, ...]] = {}
        self._seen: dict[bytes, float] = {}

    async def put(self, ids: Sequence[str], more: bool) -> None:
        """Enqueue a chunk; `more` asks its worker to ring when it has claimed it."""
        name = (
            f"{time.time_ns() // 1_000_000:012x}-{next(_numbers)}-{os.urandom(4).hex()}-{len(ids)}"
        )
        await self._redis.enqueue_job(
            RUN_CHUNK,
            list(ids),
            more,
            _job_id=name,
            _defer_until=LONG_AGO,
            _expires=EXPIRES_S,
        )
        self._ids[name.encode()] = tuple(ids)

    async def outstanding(self) -> tuple[int, frozenset[str]]:
        """Count the ids that wait in Redis, and name those this process put there.

        A chunk that stays too long is removed: its worker is gone, its ids are still pending.
        """
        now = time.monotonic()
        names = await self._redis.zrange(self._queue, 0, -1)
        self._seen = {name: self._seen.get(name, now) for name in names}
        stale = [name for name, since in self._seen.items() if now - since > STALE_S]
        if stale:
            await self._redis.zrem(self._queue, *stale)
        live = self._seen.keys() - stale
        self._ids = {name: ids for name, ids in self._ids.items() if name in live}
        waiting = sum(_size(name) for name in live)
        return waiting, frozenset(itertools.chain.from_iterable(self._ids.values()))

    @property
    def _queue(self) -> str:
        return self._redis.default_queue_name


def _size(name: bytes) -> int:
    """Read how many ids a chunk carries; what others wrote there counts as one."""
    size = name.rpartition(b"-")[2]
    return int(size) if size.isdigit() and len(size) <= LONGEST_SIZE else 1
