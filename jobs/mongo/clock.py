"""Scheduler time: the server's clock plus a stored offset."""

from datetime import UTC, datetime
from typing import Final

from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import CLOCK

MAX_OFFSET_MS: Final = 1_000 * 365 * 86_400_000  # a thousand years; the sum must be a valid date


class ServerClock:
    """The server's clock, and the offset added by test and development modes."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def read_time(self) -> datetime:
        reply = await self._mongo.client.admin.command("hello")
        local: datetime = reply["localTime"]
        return local.astimezone(UTC) if local.tzinfo else local.replace(tzinfo=UTC)

    async def read_offset_ms(self) -> int:
        found = await self._mongo[CLOCK].find_one({"_id": "offset"})
        if found is None:
            return 0
        ms = found.get("ms")
        if not isinstance(ms, int | float) or not abs(ms) <= MAX_OFFSET_MS:
            problem = f"ms is {ms!r}; it must be a number of milliseconds; 0 is used instead"
            report(CLOCK, "offset", ValueError(problem))
            return 0
        return int(ms)

    async def add_to_offset(self, ms: int) -> None:
        await self._mongo[CLOCK].update_one({"_id": "offset"}, {"$inc": {"ms": ms}}, upsert=True)
