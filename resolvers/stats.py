"""Use case of the subscription to job counts, shared by all viewers with the same scope."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.mongo.job_counts import JobCounts
from ostinato.resolvers.live.messages import EventPosition, Joint
from ostinato.resolvers.request import RequestContext

MIN_INTERVAL_MS: Final = 500
MAX_INTERVAL_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    place: EventPosition
    counts: JobCounts


async def stats_changed(ctx: RequestContext, every_ms: int) -> AsyncIterator[Stats]:
    """Yield the numbers of jobs, now and then every `every_ms` milliseconds.

    Raises BadRequest naming `everyMs`.
    """
    if not MIN_INTERVAL_MS <= every_ms <= MAX_INTERVAL_MS:
        message = f"everyMs must be {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS}, got {every_ms}"
        raise BadRequest.at("everyMs", message=message, code="out_of_range")
    leg, scope, every_s = ctx.leg, ctx.scope, every_ms / 1_000
    if leg.begins_at is None:
        yield Stats(place=_now(), counts=await ctx.feed.counts.get(scope, every_s / 2))
    if leg.ends_at_joint:
        leg.joint = Joint(position=_now().position)
        return
    while True:
        await asyncio.sleep(every_s)
        counts = await ctx.feed.counts.get(scope, every_s / 2)
        yield Stats(place=_now(), counts=counts)


def _now() -> EventPosition:
    """Make a place of the present: figures have none in MongoDB's history."""
    return EventPosition(Position(f"{time.monotonic_ns():020}"))
