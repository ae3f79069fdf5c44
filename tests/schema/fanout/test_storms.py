"""Many clients that reconnect at once with different cursors share executions."""

import asyncio
import re
from collections.abc import Sequence
from random import Random

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.settings import Settings
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.frames import FrameBatch
from tests.live.watching import JOBS, SubscriptionRig
from tests.live.writing import Writer
from tests.processes import eventually

MISSED = 200
CLIENTS_BY_RING_EVENTS = {100: 2_000, 50_000: 1_000}
"""The number of clients, by the capacity of the ring."""
TIMEOUT_S = 300.0  # allows for a slow machine
JOB_ID = re.compile(rb'"jobId":"(\w+)"')


@pytest.fixture(params=CLIENTS_BY_RING_EVENTS, ids=["from MongoDB", "from the ring"])
def live_settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update={"ring_events": request.param, "subscription_buffer": 200})


class Client:
    """A client that resumes after a cursor, and records the jobs of its messages."""

    def __init__(self, live_rig: SubscriptionRig, after: str) -> None:
        self._watcher = live_rig.watch(JOBS, after=after, push=self._push)
        self.received: list[bytes] = []

    def _push(self, batch: FrameBatch) -> bool:
        self.received += JOB_ID.findall(batch.with_prefix(b""))
        return True

    async def run(self) -> None:
        async for encoded in self._watcher.results:
            self.received += JOB_ID.findall(encoded.payload)


def received(clients: Sequence[Client]) -> int:
    return sum(len(client.received) for client in clients)


async def missed(live_rig: SubscriptionRig, writer: Writer) -> tuple[list[str], list[bytes]]:
    """Write jobs; return the cursor before each event, and the job of each."""
    async with live_rig.watch() as watcher:
        cursors = [await watcher.ready()]
        for _ in range(MISSED // 100):
            await writer.jobs(100)
            await watcher.take(100)
        results: Sequence[EncodedResult] = watcher.encoded[1:]
    cursors += [str(result.cursor) for result in results]
    return cursors[:-1], [JOB_ID.findall(result.payload)[0] for result in results]


async def test_reconnects_with_different_cursors_are_executed_about_once(
    live_rig: SubscriptionRig, feed: ChangeFeed, writer: Writer, live_settings: Settings
) -> None:
    size = CLIENTS_BY_RING_EVENTS[live_settings.ring_events]
    cursors, jobs = await missed(live_rig, writer)
    before = live_rig.runner.metrics.results
    behind = Random(7).choices(range(MISSED), k=size)
    expected = [jobs[number:] for number in behind]
    clients = [Client(live_rig, cursors[number]) for number in behind]
    async with asyncio.TaskGroup() as running:
        tasks = [running.create_task(client.run()) for client in clients]
        await eventually(lambda: received(clients) >= sum(map(len, expected)), within=TIMEOUT_S)
        assert [client.received for client in clients] == expected
        await eventually(lambda: live_rig.broadcasts == [size])
        for task in tasks:
            task.cancel()
    assert live_rig.runner.metrics.results - before <= size + 3 * MISSED
    assert feed.stats.replays <= 4
