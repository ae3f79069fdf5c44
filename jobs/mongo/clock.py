"""Where due time is kept: the server's clock, and one document with the offset."""

from datetime import UTC, datetime

from jobs.mongo.client import Mongo
from jobs.mongo.collections import CLOCK


class ServerClock:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def read_time(self) -> datetime:
        reply = await self._mongo.client.admin.command("hello")
        local: datetime = reply["localTime"]
        return local.astimezone(UTC) if local.tzinfo else local.replace(tzinfo=UTC)

    async def read_offset_ms(self) -> int:
        found = await self._mongo[CLOCK].find_one({"_id": "offset"})
        return int(found["ms"]) if found else 0

    async def add_to_offset(self, ms: int) -> None:
        await self._mongo[CLOCK].update_one({"_id": "offset"}, {"$inc": {"ms": ms}}, upsert=True)
