"""Looks at one queue: what is due there that could go now, and when there will be more."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, Waiting
from ostinato.jobs.mongo.buckets import Allowance, Buckets, bucket_id
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.worker.bookmarks import Bookmarks
from ostinato.jobs.worker.selection import Limits, in_order, in_turns, rotated

OWNERS_EVERY_S: Final = 0.25
OWNERS_SHARE: Final = 0.05  # of the time may go into asking for owners, however many there are
OWNERS_AT_ONCE: Final = 16

InFlight = dict[Lane, frozenset[str]]
"""What is in Redis already, by lane of all priorities."""


@dataclass(slots=True)
class _Owners:
    """Who had jobs in a backlogged queue when it was last asked."""

    lanes: dict[Lane, list[str | None]] = field(default_factory=dict)
    ask_at: float = 0.0
    served_last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    jobs: tuple[Waiting, ...]
    """What could go now, the first to go first."""
    more: bool
    """Whether more was due than there was room for."""
    next_at: datetime | None
    """When there is something to do again, if that is known."""

    def due_by(self, now: datetime) -> "Survey":
        """Leave out what was looked at early."""
        later = [job.scheduled_time for job in self.jobs if job.scheduled_time > now]
        if not later:
            return self
        jobs = tuple(job for job in self.jobs if job.scheduled_time <= now)
        times = later if self.next_at is None else [*later, self.next_at]
        return replace(self, jobs=jobs, next_at=min(times))


@dataclass(slots=True, kw_only=True)
class _Look:
    queue: str
    now: datetime
    room: int
    in_flight: InFlight
    limits: Limits = field(default_factory=Limits)
    times: list[datetime] = field(default_factory=list)
    more: bool = False


class Surveyor:
    def __init__(self, engine: Engine) -> None:
        self._registry = engine.registry
        self._due = DueJobs(engine.mongo)
        self._bookmarks = Bookmarks(self._due)
        self._buckets = Buckets(engine.mongo)
        self._owners: dict[str, _Owners] = {}
        self.skipped: frozenset[str] = frozenset()
        """Jobs that are left alone for now, in whatever lane they are."""

    async def look(
        self, queue: str, now: datetime, room: int, workers: int, in_flight: InFlight
    ) -> Survey:
        """Choose at most `room` jobs of a queue that `workers` workers serve."""
        look = _Look(queue=queue, now=now, room=room, in_flight=in_flight)
        heads = await self._bookmarks.heads(queue)
        look.times = [at for at in heads.values() if at > now]
        due = [lane for lane, at in heads.items() if at <= now]
        await self._limit(look, {lane.gate for lane in due}, workers)
        open_lanes = [lane for lane in due if look.limits.room(lane, 1) > 0]
        streams = await asyncio.gather(*(self._read(look, lane) for lane in open_lanes))
        if not look.more:
            jobs = in_order([one for one in streams if one], room, look.limits) if streams else []
        else:
            jobs = await self._fairly(look, open_lanes, streams)
        # More may be due of a lane with a limit only: then a lane not seen yet has room still.
        has_room = not look.more or len(jobs) < room
        if has_room and self._bookmarks.forget_heads(queue):
            return await self.look(queue, now, room, workers, in_flight)
        return Survey(jobs=tuple(jobs), more=look.more, next_at=min(look.times, default=None))

    def served(self, queue: str, last: Waiting) -> None:
        """Remember whose turn was the last."""
        if queue in self._owners:
            self._owners[queue].served_last = last.owner

    async def _limit(self, look: _Look, gates: Iterable[Lane], workers: int) -> None:
        """Find what the functions' limits leave room for."""
        for gate in gates:
            function = self._registry.get(gate.function) if gate.function else None
            if function is None:
                continue
            in_flight = len(look.in_flight.get(gate, ()))
            if function.concurrency is not None:
                # As many again as may run, so that the next is there when one ends.
                look.limits.running[gate] = 2 * function.concurrency * workers - in_flight
            limit = function.rate_limit
            if limit is not None and limit.key is None:
                bucket = bucket_id(function.name, limit, None)
                allowance = await self._buckets.allowance(bucket, limit, look.now)
                self._allow(look, gate, allowance, in_flight)

    @staticmethod
    def _allow(look: _Look, gate: Lane, allowance: Allowance, in_flight: int) -> None:
        look.limits.starts[gate] = allowance.room - in_flight
        if allowance.next_at is not None:
            look.times.append(allowance.next_at)

    async def _read(self, look: _Look, lane: Lane) -> list[Waiting]:
        """Read a lane's due jobs that are not in Redis yet."""
        in_flight = self._left_out(look, lane)
        room = look.limits.room(lane, look.room)
        found = await self._bookmarks.first(lane, room + 1, in_flight, look.now)
        later = next((n for n, job in enumerate(found) if job.scheduled_time > look.now), None)
        if later is not None:
            look.times.append(found[later].scheduled_time)
        look.more = look.more or len(found[:later]) > room
        return found[:later][:room]

    def _left_out(self, look: _Look, lane: Lane) -> frozenset[str]:
        in_flight = look.in_flight.get(lane.gate, frozenset())
        return in_flight | self.skipped if self.skipped else in_flight

    async def _fairly(
        self, look: _Look, lanes: list[Lane], streams: list[list[Waiting]]
    ) -> list[Waiting]:
        """Let owners take turns, for there is more than can go."""
        owners = self._owners.setdefault(look.queue, _Owners())
        if time.monotonic() >= owners.ask_at:
            await self._ask(owners, lanes)
        everybody = {owner for lane in lanes for owner in owners.lanes.get(lane, ())}
        if len(everybody) < 2:
            return in_order([one for one in streams if one], look.room, look.limits)
        chosen = rotated(everybody, owners.served_last)[:OWNERS_AT_ONCE]
        found = await self._first_of(look, owners, lanes, chosen)
        jobs = {job.id: job for stream in (*streams, *found) for job in stream}
        return in_turns(jobs.values(), look.room, look.limits, owners.served_last)

    async def _ask(self, owners: _Owners, lanes: list[Lane]) -> None:
        began = time.monotonic()
        found = await asyncio.gather(*map(self._due.owners, lanes))
        owners.lanes = dict(zip(lanes, found, strict=True))
        now = time.monotonic()
        owners.ask_at = now + max(OWNERS_EVERY_S, (now - began) / OWNERS_SHARE)

    async def _first_of(
        self, look: _Look, owners: _Owners, lanes: list[Lane], chosen: list[str | None]
    ) -> list[list[Waiting]]:
        """Read the share of each owner in each lane."""
        most = -(-2 * look.room // len(chosen))  # twice: some owners have less than that

        async def read(lane: Lane, owner: str | None) -> list[Waiting]:
            in_flight = self._left_out(look, lane)
            limit = look.limits.room(lane, most)
            found = await self._bookmarks.first(lane, limit, in_flight, look.now, owner)
            return [job for job in found if job.scheduled_time <= look.now]

        return await asyncio.gather(
            *(
                read(lane, owner)
                for lane in lanes
                for owner in chosen
                if owner in owners.lanes.get(lane, ())
            )
        )
