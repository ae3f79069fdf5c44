"""Comings and goings over a long time: what they take is given back, and nothing is left behind."""

import asyncio

from jobs.hub import Hub
from tests.live.leftovers import OF_EXECUTION, alive
from tests.live.watching import JOBS, Pushed, Station
from tests.live.writing import Writer
from tests.processes import eventually

VISITS = 40  # of 15 clients each round: connect, hear of a change, leave in the middle of things
ROUNDS = 4


async def visited(station: Station, write: Writer, cursor: str | None) -> str | None:
    """Let clients of all kinds come, hear of one job, and leave."""
    pushed = [Pushed(reads=False) for _ in range(15)]
    watchers = [
        station.watch(JOBS, after=cursor, push=push, snapshot=number > 9)
        for number, push in enumerate(pushed)
    ]
    await asyncio.gather(*(watcher.ready() for watcher in watchers))
    for push in pushed[::2]:
        push.reads = True
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await write.job()
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))
    return watchers[0].encoded[-1].cursor


async def test_memory_is_flat_however_many_clients_come_and_go(
    station: Station, hub: Hub, write: Writer
) -> None:
    counts, cursor = [], None
    for _ in range(ROUNDS):
        for _ in range(VISITS):
            cursor = await visited(station, write, cursor)
        await eventually(lambda: not len(station.runner.groups))
        counts.append(alive())
    assert counts[-1].total() <= counts[1].total() + 5, counts[-1] - counts[1]
    facts = hub.facts
    assert (facts.subscriptions, facts.groups, hub.catch_ups.running) == (0, 0, 0)


async def test_subscription_keeps_nothing_of_what_it_has_told(
    station: Station, write: Writer
) -> None:
    async with station.watch(push=Pushed(reads=False)) as watcher:
        await watcher.ready()
        counts = []
        for _ in range(3):  # the first is told while its group still catches up
            await write.run()
            await watcher.take(3)
            counts.append(alive(*OF_EXECUTION))
    assert counts[2] == counts[1]
