"""Memory: many clients that connect and disconnect leave nothing in memory."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from itertools import count
from typing import Final

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.mongo import decoding
from ostinato.resolvers.auth import Viewer
from tests.live.leaked_objects import EXECUTION_TYPES, count_live_objects
from tests.live.watching import Pushed, SubscriptionRig
from tests.live.writing import Writer
from tests.processes import eventually

VISITS: Final = 15  # per round, with 15 clients each: connect, receive a change, leave
ROUNDS: Final = 4
GROWTH_BYTES: Final = 40_000  # in two rounds: less than 90 bytes per client, less than a cursor
OPERATION = "subscription($after: Cursor, $snapshot: Boolean! = false, $filter: JobFilter) {"
OPERATION += " jobsChanged(after: $after, snapshot: $snapshot, filter: $filter) {"
SELECTIONS: Final = ("event { seq }", "job { id state }", "event { seq } job { cause { kind } }")


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


class Visits:
    """Connects clients of all kinds, each time as another user with another operation."""

    def __init__(self, live_rig: SubscriptionRig, writer: Writer) -> None:
        self._station = live_rig
        self._write = writer
        self._numbers = count()
        self._cursor: str | None = None

    async def make(self) -> None:
        """Run a round of visits."""
        for _ in range(VISITS):
            await self._visit()

    async def _visit(self) -> None:
        """Connect clients, send them one change, and close them."""
        number = next(self._numbers)
        viewer, name = Viewer(id=f"user-{number}"), f"tasks.number{number}"
        query = f"{OPERATION} cursor kind jobId {SELECTIONS[number % len(SELECTIONS)]} }} }}"
        pushed = [Pushed(reads=False) for _ in range(15)]
        watchers = [
            self._station.watch(
                query,
                viewer,
                push,
                after=self._cursor,
                snapshot=index > 9,
                filter={"functionName": name},
            )
            for index, push in enumerate(pushed)
        ]
        await asyncio.gather(*(watcher.ready() for watcher in watchers))
        for push in pushed[::2]:
            push.reads = True
        waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
        await self._write.job(viewer.id, functionName=name)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))
        self._cursor = watchers[0].encoded[-1].cursor


def registries(live_rig: SubscriptionRig, feed: ChangeFeed) -> dict[str, object]:
    """Return the nonempty collections of the broadcasts, snapshots and the change feed."""
    groups = live_rig.subscriptions.broadcasts
    owners = (groups, groups.snapshots, feed.index, feed.replays)
    return {
        f"{type(owner).__name__}.{name}": held
        for owner in owners
        for name, held in vars(owner).items()
        if isinstance(held, dict | set | list) and held
    }


def clear_caches(feed: ChangeFeed) -> None:
    """Clear bounded caches, so that their growth does not hide a leak."""
    feed.ring.clear(feed.position)
    decoding._route.cache_clear()


async def test_memory_stays_constant_as_clients_connect_and_leave(
    live_rig: SubscriptionRig, feed: ChangeFeed, writer: Writer, traced: None
) -> None:
    counts, sizes, visits = [], [], Visits(live_rig, writer)
    for _ in range(ROUNDS):
        await asyncio.create_task(
            visits.make()
        )  # the objects of a separate task are freed when it ends
        await eventually(lambda: not registries(live_rig, feed))
        clear_caches(feed)
        counts.append(count_live_objects())
        sizes.append(tracemalloc.get_traced_memory()[0])
    assert counts[-1].total() <= counts[1].total() + 5, counts[-1] - counts[1]
    assert sizes[-1] <= sizes[1] + GROWTH_BYTES, sizes
    stats = feed.stats
    assert (stats.subscriptions, stats.filters, feed.replays.running) == (0, 0, 0)
    assert live_rig.subscriptions.broadcasts.limits.broadcasts == 0


async def test_subscription_keeps_no_sent_messages(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    async with live_rig.watch(push=Pushed(reads=False)) as watcher:
        await watcher.ready()
        counts = []
        for _ in range(3):  # during the first, the broadcast still catches up
            await writer.run()
            await watcher.take(3)
            counts.append(count_live_objects(*EXECUTION_TYPES))
    assert counts[2] == counts[1]
