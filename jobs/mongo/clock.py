"""Scheduler time: the server's clock plus a stored offset, or a stored time at which it is held."""

from datetime import UTC, datetime
from typing import Final, TypeAlias

from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import CLOCK

MAX_OFFSET_MS: Final = 1_000 * 365 * 86_400_000  # a thousand years; the sum must be a valid date

ClockTime: TypeAlias = int | datetime
"""Scheduler time as MongoDB computes it: an offset from its clock in ms, or a fixed time."""


class ServerClock:
    """The server's clock, and the offset or the fixed time of test and development modes."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def read_time(self) -> datetime:
        reply = await self._mongo.client.admin.command("hello")
        local: datetime = reply["localTime"]
        return local.astimezone(UTC) if local.tzinfo else local.replace(tzinfo=UTC)

    async def read_clock_time(self) -> ClockTime:
        found = await self._mongo[CLOCK].find_one({"_id": "offset"})
        if found is None:
            return 0
        if isinstance(held_at := found.get("heldAt"), datetime):
            return held_at
        ms = found.get("ms")
        if not isinstance(ms, int | float) or not abs(ms) <= MAX_OFFSET_MS:
            problem = f"ms is {ms!r}; it must be a number of milliseconds; 0 is used instead"
            report(CLOCK, "offset", ValueError(problem))
            return 0
        return int(ms)

    async def add_to_offset(self, ms: int) -> None:
        await self._mongo[CLOCK].update_one({"_id": "offset"}, {"$inc": {"ms": ms}}, upsert=True)

    async def hold_at(self, at: datetime) -> None:
        held = {"$set": {"heldAt": at}}
        await self._mongo[CLOCK].update_one({"_id": "offset"}, held, upsert=True)
