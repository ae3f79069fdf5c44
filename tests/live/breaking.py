"""Breaks the stream of a feed under test."""

import asyncio
from contextlib import suppress
from typing import Final

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changes import Position, WatchedCollection
from ostinato.jobs.mongo.client import Mongo
from tests.live.writing import Writer
from tests.processes import eventually

TIMES: Final = 10
DEADLINE_S: Final = 30.0


async def followed(feed: ChangeFeed) -> None:
    """Wait until the feed has followed every write up to now."""
    async with asyncio.timeout(DEADLINE_S):
        await feed.reach(await feed.current_time())


async def break_stream(feed: ChangeFeed, mongo: Mongo) -> None:
    """Kill the stream's cursor, once it has one."""
    cursor = await eventually(lambda: feed._stream._cursor)
    await mongo.database.command({"killCursors": "$cmd.aggregate", "cursors": [cursor]})


async def no_position(feed: ChangeFeed, write: Writer) -> Position:
    """Make a position that MongoDB does not have, of one that it has."""
    async with feed.subscribe(ChangeFilter(collection=WatchedCollection.JOBS)) as changes:
        await write.job()
        position = (await changes.next(10)).matched[-1].change.position
    return Position(f"{position[:-8]}67{position[-6:]}")  # an id ends in no g


async def lose_history(feed: ChangeFeed, mongo: Mongo, nowhere: Position) -> None:
    """Break the stream, and let it go on from nowhere."""
    for _ in range(TIMES):
        await break_stream(feed, mongo)
        feed._stream.position = nowhere  # unless a last reply was on its way
        with suppress(AssertionError):
            await eventually(lambda: feed.stats.histories_lost, within=2)
            return
    raise AssertionError("the stream goes on")
