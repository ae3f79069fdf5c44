"""Breaks the stream of a hub under test."""

import asyncio
from contextlib import suppress
from typing import Final

from ostinato.jobs.changes import Position, WatchedCollection
from ostinato.jobs.hub import Hub, Watch
from ostinato.jobs.mongo.client import Mongo
from tests.live.writing import Writer
from tests.processes import eventually

TIMES: Final = 10
DEADLINE_S: Final = 30.0


async def followed(hub: Hub) -> None:
    """Wait until the hub has followed every write up to now."""
    async with asyncio.timeout(DEADLINE_S):
        await hub.reach(await hub.present())


async def break_stream(hub: Hub, mongo: Mongo) -> None:
    """Kill the stream's cursor, once it has one."""
    cursor = await eventually(lambda: hub._stream._cursor)
    await mongo.database.command({"killCursors": "$cmd.aggregate", "cursors": [cursor]})


async def no_position(hub: Hub, write: Writer) -> Position:
    """Make a position that MongoDB does not have, of one that it has."""
    async with hub.subscribe(Watch(collection=WatchedCollection.JOBS)) as changes:
        await write.job()
        position = (await changes.next(10)).notices[-1].change.position
    return Position(f"{position[:-8]}67{position[-6:]}")  # an id ends in no g


async def lose_history(hub: Hub, mongo: Mongo, nowhere: Position) -> None:
    """Break the stream, and let it go on from nowhere."""
    for _ in range(TIMES):
        await break_stream(hub, mongo)
        hub._stream.position = nowhere  # unless a last reply was on its way
        with suppress(AssertionError):
            await eventually(lambda: hub.facts.histories_lost, within=2)
            return
    raise AssertionError("the stream goes on")
