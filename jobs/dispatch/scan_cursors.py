"""Resumes reads of backlogged lanes at a cursor, and caches the lane heads.

MongoDB keeps deleted index entries for minutes, and a read from the start of a lane scans all of
them, so its cost would grow with the processed part of the backlog.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner, ScanPosition

MAX_AGE_S: Final = 1.0  # maximum delay of a new lane, or of a job due before the cursor
MAX_READ_SHARE: Final = 0.05  # of wall time, for each read that scans deleted index entries
MAX_CURSORS: Final = 10_000  # when full, all are dropped, at the cost of one full read per lane


@dataclass(frozen=True, slots=True)
class _Cursor:
    position: ScanPosition
    fresh_until: float
    """Expiry: the next read starts at the head, to find jobs added before the cursor."""


@dataclass(slots=True)
class _LaneHeads:
    lane_heads: dict[Lane, datetime]
    fresh_until: float
    was_reused: bool = False
    """Whether a call was served from the cache."""


class ScanCursors:
    """The dispatcher's scan cursors. Jobs missed by one read are found by a later one."""

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
        """Return the first due time of each lane of a queue that has pending jobs.

        The result may be up to one second old.
        """
        cached = self._heads.get(queue)
        began = self._now()
        if cached is not None and began < cached.fresh_until:
            cached.was_reused = True
            return cached.lane_heads
        lane_heads = await self._due.lane_heads(queue)
        self._heads[queue] = _LaneHeads(lane_heads, self._fresh_until(began))
        return lane_heads

    def forget_heads(self, queue: str) -> bool:
        """Drop a queue's cached lanes; return whether they had served a call."""
        cached = self._heads.pop(queue, None)
        return cached is not None and cached.was_reused

    async def first(
        self,
        lane: Lane,
        limit: int,
        excluded: frozenset[str],
        due_until: datetime,
        owner: Owner = ANY_OWNER,
    ) -> list[PendingJob]:
        """Read the first pending jobs of a lane, due or not, optionally of one owner.

        While at least `limit` jobs are due, jobs due before the cursor may be missed for up to one
        second.
        """
        cursor = self._cursors.get((lane, owner))
        if cursor is not None and self._now() < cursor.fresh_until:
            found = await self._due.find_first(lane, limit, excluded, owner, cursor.position)
            if _is_backlog(found, limit, due_until):
                self._store(lane, owner, _Cursor(_scan_position(found), cursor.fresh_until))
                return found
        began = self._now()
        found = await self._due.find_first(lane, limit, excluded, owner)
        if _is_backlog(found, limit, due_until):
            self._store(lane, owner, _Cursor(_scan_position(found), self._fresh_until(began)))
        else:
            self._cursors.pop((lane, owner), None)
        return found

    def _fresh_until(self, began: float) -> float:
        """Return the expiry of the result of a read that began at `began`."""
        now = self._now()
        return now + min(MAX_AGE_S, (now - began) / MAX_READ_SHARE)

    def _store(self, lane: Lane, owner: Owner, cursor: _Cursor) -> None:
        if len(self._cursors) >= self._max_cursors:
            self._cursors.clear()
        self._cursors[lane, owner] = cursor


def _is_backlog(found: list[PendingJob], limit: int, due_until: datetime) -> bool:
    """Return whether at least `limit` jobs are due. Only due jobs set a cursor."""
    return len(found) == limit and found[-1].scheduled_time <= due_until


def _scan_position(found: list[PendingJob]) -> ScanPosition:
    """Return the start of a read: its due time, and its first job if all due times are equal."""
    first = found[0]
    has_ties = found[-1].scheduled_time == first.scheduled_time
    return ScanPosition(first.scheduled_time, first.id if has_ties else None)
