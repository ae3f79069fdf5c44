"""Looks whether anything has happened since, without the wait of a stream that follows."""

from typing import Final

from jobs.changes import Position
from jobs.mongo.client import Mongo
from jobs.mongo.stream import DATABASE_CURSOR, PIPELINE, RAW, StreamBatch

ENOUGH: Final = 1  # one change tells that the stream is about to bring it


async def quiet_since(mongo: Mongo, position: Position) -> StreamBatch | None:
    """Return the present end of history, or None if anything watched happened behind `position`.

    Raises as MongoDB's driver does.
    """
    reply = await mongo.database.command(
        {
            "aggregate": 1,
            "pipeline": [{"$changeStream": {"startAfter": {"_data": position}}}, *PIPELINE],
            "cursor": {"batchSize": ENOUGH},
        },
        codec_options=RAW,
    )
    cursor = reply["cursor"]
    if cursor["id"]:
        kill = {"killCursors": DATABASE_CURSOR, "cursors": [cursor["id"]]}
        await mongo.database.command(kill)
    if cursor["firstBatch"]:
        return None
    return StreamBatch(events=(), position=Position(cursor["postBatchResumeToken"]["_data"]))
