"""Looks whether anything has happened since, without the wait of a stream that follows."""

from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.stream import RAW, StreamBatch, batch_of, kill_cursor
from ostinato.jobs.mongo.stream_opening import opening

ENOUGH: Final = 1  # one change tells that the stream is about to bring it


async def quiet_since(mongo: Mongo, position: Position) -> StreamBatch | None:
    """Return the present end of history, or None if anything watched happened behind `position`.

    Raises as MongoDB's driver does.
    """
    start = {"startAfter": {"_data": position}}
    reply = await mongo.database.command(opening(start, ENOUGH), codec_options=RAW)
    if cursor := reply["cursor"]["id"]:
        await kill_cursor(mongo, cursor)
    batch = batch_of(reply, "firstBatch")
    return None if batch.events else batch
