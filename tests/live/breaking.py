"""Functions that interrupt the change stream of a feed."""

import asyncio
from contextlib import suppress
from typing import Final

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changes import Position, WatchedCollection
from ostinato.jobs.mongo.client import Mongo
from tests.live.writing import Writer
from tests.processes import eventually

MAX_TRIES: Final = 10
DEADLINE_S: Final = 30.0


async def wait_until_processed(feed: ChangeFeed) -> None:
    """Wait until the feed has processed all writes up to now."""
    async with asyncio.timeout(DEADLINE_S):
        await feed.reach(await feed.current_time())


async def break_stream(feed: ChangeFeed, mongo: Mongo) -> None:
    """Kill the cursor of the stream, once it is open."""
    cursor = await eventually(lambda: feed._stream._cursor)
    await mongo.database.command({"killCursors": "$cmd.aggregate", "cursors": [cursor]})


async def unknown_position(feed: ChangeFeed, writer: Writer) -> Position:
    """Return a position that MongoDB does not have, derived from an existing position."""
    async with feed.subscribe(ChangeFilter(collection=WatchedCollection.JOBS)) as changes:
        await writer.job()
        position = (await changes.next(10)).matched[-1].change.position
    return Position(f"{position[:-8]}67{position[-6:]}")  # no id ends in this type


async def lose_history(feed: ChangeFeed, mongo: Mongo, unknown: Position) -> None:
    """Break the stream, and let it resume at a position that MongoDB does not have."""
    for _ in range(MAX_TRIES):
        await break_stream(feed, mongo)
        feed._stream.position = unknown  # unless a reply was in flight
        with suppress(AssertionError):
            await eventually(lambda: feed.stats.histories_lost, within=2)
            return
    raise AssertionError("the stream did not lose its history")
