"""Reads backlogged lanes from where the last read began, and asks seldom which lanes there are.

MongoDB keeps the entries of an index that have been deleted for minutes, and a read from a lane's
start walks over all of them: the more a backlog has shrunk, the more each read would cost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.lanes import Lane, PendingJob
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner, ScanPosition

MAX_AGE_S: Final = 1.0  # how long a job of a new lane, or due before the last read's, goes unseen
MAX_READ_SHARE: Final = 0.05  # of the time may go into reads from the start, whatever one costs
MAX_CURSORS: Final = (
    10_000  # bookmarks; when there are more, all are dropped, at the price of one read
)


@dataclass(frozen=True, slots=True)
class _Cursor:
    place: ScanPosition
    fresh_until: float
    """When to read from the start again, for what came before the place meanwhile."""


@dataclass(slots=True)
class _LaneHeads:
    lane_heads: dict[Lane, datetime]
    fresh_until: float
    from_cache: bool = False
    """Whether they have been given again without asking."""


class ScanCursors:
    """What the dispatcher remembers of its last reads; jobs it does not see are found later."""

    def __init__(
        self,
        due: DueJobs,
        now: Callable[[], float] = time.monotonic,
        max_cursors: int = MAX_CURSORS,
    ) -> None:
        self._due = due
        self._now = now
        self._most = max_cursors
        self._cursors: dict[tuple[Lane, Owner], _Cursor] = {}
        self._heads: dict[str, _LaneHeads] = {}

    async def lane_heads(self, queue: str) -> dict[Lane, datetime]:
        """Give each lane of a queue with pending jobs, and when its first is due; as it was a
        second ago at most, unless that was forgotten."""
        kept = self._heads.get(queue)
        began = self._now()
        if kept is not None and began < kept.fresh_until:
            kept.from_cache = True
            return kept.lane_heads
        lane_heads = await self._due.lane_heads(queue)
        self._heads[queue] = _LaneHeads(lane_heads, self._fresh_until(began))
        return lane_heads

    def forget_heads(self, queue: str) -> bool:
        """Ask for a queue's lanes anew the next time; returns whether the last answer was old."""
        kept = self._heads.pop(queue, None)
        return kept is not None and kept.from_cache

    async def first(
        self,
        lane: Lane,
        limit: int,
        but: frozenset[str],
        now: datetime,
        owner: Owner = ANY_OWNER,
    ) -> list[PendingJob]:
        """Find the first pending jobs of a lane, due or not, of one owner if that is given.

        As long as it finds `limit` that are due, it may leave out, for a second at most, jobs
        that were due before those of the last read.
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
        """Tell when to read from the start again after a read that took until now."""
        now = self._now()
        return now + min(MAX_AGE_S, (now - began) / MAX_READ_SHARE)

    def _store(self, lane: Lane, owner: Owner, cursor: _Cursor) -> None:
        if len(self._cursors) >= self._most:
            self._cursors.clear()
        self._cursors[lane, owner] = cursor


def _is_backlog(found: list[PendingJob], limit: int, now: datetime) -> bool:
    """Tell whether more is due than was asked for: what is not due yet is no reason to look on
    from there."""
    return len(found) == limit and found[-1].scheduled_time <= now


def _place_of(found: list[PendingJob]) -> ScanPosition:
    """Tell where a read began, and whether all it found was due at the same time."""
    first = found[0]
    is_crowded = found[-1].scheduled_time == first.scheduled_time
    return ScanPosition(first.scheduled_time, first.id if is_crowded else None)
