"""Reads a backlogged lane from where its last read began, and caches which lanes there are.

MongoDB keeps deleted index entries for minutes, and a read from the start of a lane walks over all
of them: the more of a backlog has been processed, the more each read would cost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner, ScanPosition

MAX_AGE_S: Final = 1.0  # how long a new lane, or a job due before the cursor, may go unseen
MAX_READ_SHARE: Final = 0.05  # of the time may be spent on reads from the start, whatever one costs
MAX_CURSORS: Final = 10_000  # beyond that all are dropped, which costs one read each


@dataclass(frozen=True, slots=True)
class _Cursor:
    place: ScanPosition
    fresh_until: float
    """When to read from the start again, to see jobs that were added before the cursor."""


@dataclass(slots=True)
class _LaneHeads:
    lane_heads: dict[Lane, datetime]
    fresh_until: float
    from_cache: bool = False
    """Whether they have been returned again without a read."""


class ScanCursors:
    """The dispatcher's last read positions. Jobs that a read misses are found by a later one."""

    def __init__(
        self,
        due: DueJobs,
        now: Callable[[], float] = time.monotonic,
        max_cursors: int = MAX_CURSORS,
    ) -> None:
        self._due = due
        self._now = now
        self._max_cursors = max_cursors
        self._cursors: dict[tuple[Lane, Owner], _Cursor] = {}
        self._heads: dict[str, _LaneHeads] = {}

    async def lane_heads(self, queue: str) -> dict[Lane, datetime]:
        """Return each lane of a queue that has pending jobs, and when its first is due.

        The answer is at most a second old.
        """
        cached = self._heads.get(queue)
        began = self._now()
        if cached is not None and began < cached.fresh_until:
            cached.from_cache = True
            return cached.lane_heads
        lane_heads = await self._due.lane_heads(queue)
        self._heads[queue] = _LaneHeads(lane_heads, self._fresh_until(began))
        return lane_heads

    def forget_heads(self, queue: str) -> bool:
        """Drop a queue's cached lanes; returns whether the last answer came from the cache."""
        cached = self._heads.pop(queue, None)
        return cached is not None and cached.from_cache

    async def first(
        self,
        lane: Lane,
        limit: int,
        but: frozenset[str],
        now: datetime,
        owner: Owner = ANY_OWNER,
    ) -> list[PendingJob]:
        """Read the first pending jobs of a lane, due or not; with an owner, only theirs.

        While at least `limit` jobs are due, it may leave out for up to a second jobs that were
        due before those of the last read.
        """
        cursor = self._cursors.get((lane, owner))
        if cursor is not None and self._now() < cursor.fresh_until:
            found = await self._due.find_first(lane, limit, but, owner, cursor.place)
            if _is_backlog(found, limit, now):
                self._store(lane, owner, _Cursor(_place_of(found), cursor.fresh_until))
                return found
        began = self._now()
        found = await self._due.find_first(lane, limit, but, owner)
        if _is_backlog(found, limit, now):
            self._store(lane, owner, _Cursor(_place_of(found), self._fresh_until(began)))
        else:
            self._cursors.pop((lane, owner), None)
        return found

    def _fresh_until(self, began: float) -> float:
        """Return when to read from the start again, after a read that began at `began`."""
        now = self._now()
        return now + min(MAX_AGE_S, (now - began) / MAX_READ_SHARE)

    def _store(self, lane: Lane, owner: Owner, cursor: _Cursor) -> None:
        if len(self._cursors) >= self._max_cursors:
            self._cursors.clear()
        self._cursors[lane, owner] = cursor


def _is_backlog(found: list[PendingJob], limit: int, now: datetime) -> bool:
    """Return whether `limit` or more jobs are due. Jobs that are not due yet set no cursor."""
    return len(found) == limit and found[-1].scheduled_time <= now


def _place_of(found: list[PendingJob]) -> ScanPosition:
    """Return where a read began: the due time, and the job if all were due at the same time."""
    first = found[0]
    is_crowded = found[-1].scheduled_time == first.scheduled_time
    return ScanPosition(first.scheduled_time, first.id if is_crowded else None)
