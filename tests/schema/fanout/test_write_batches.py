"""Write batches: each write to a socket is limited in results and bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostinato.schema.fanout.result_buffer import MAX_WRITE_BATCH_BYTES
from ostinato.schema.ids import global_id
from tests.live.fixtures import WatcherGroup
from tests.live.watching import Pushed, SubscriptionRig, Watcher
from tests.live.writing import Writer
from tests.processes import eventually

RESULTS = (
    "subscription { jobsChanged(filter: {states: [SUCCESS]}) { kind cursor jobId job { result } } }"
)
LARGE = 60_000
JOBS = 40


async def succeed(writer: Writer, result: str) -> list[str]:
    """Complete many jobs at once with the given result."""
    ids = [await writer.job() for _ in range(JOBS)]
    await writer.claim(*ids)
    await writer.succeed(*ids, result=result)
    return ids


@asynccontextmanager
async def watching(live_rig: SubscriptionRig, pushed: Pushed) -> AsyncIterator[Watcher]:
    """Read READY; later results are pushed to `pushed` while it reads."""
    async with live_rig.watch(RESULTS, push=pushed) as watcher:
        await watcher.ready()
        yield watcher


@asynccontextmanager
async def taking(watcher: Watcher) -> AsyncIterator[None]:
    """Take pending results, and wait for more."""
    task = asyncio.create_task(watcher.next())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def received(pushed: Pushed) -> int:
    return sum(batch.count(b'"result":') for batch in pushed.batches)


async def test_large_results_are_sent_in_writes_of_bounded_size(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    pushed = Pushed(reads=False)
    async with watching(live_rig, pushed) as watcher, taking(watcher):
        pushed.reads = True
        await succeed(writer, "x" * LARGE)
        await eventually(lambda: received(pushed) == JOBS)
    assert max(map(len, pushed.batches)) <= MAX_WRITE_BATCH_BYTES
    assert len(pushed.batches) >= JOBS * LARGE // MAX_WRITE_BATCH_BYTES


async def test_slow_subscriber_gets_large_results_in_writes_of_bounded_size(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    pushed = Pushed(reads=False)
    async with watching(live_rig, pushed) as watcher:
        waiting = asyncio.create_task(watcher.next())
        await watcher_group.start(live_rig.watch(RESULTS))
        await eventually(lambda: live_rig.broadcasts == [2])
        ids = await succeed(writer, "x" * LARGE)
        assert (await waiting)["jobId"] == global_id("Job", ids[0])
        for _ in ids:
            await watcher_group.received()
        pushed.reads = True
        async with taking(watcher):
            await eventually(lambda: received(pushed) == JOBS - 1)
    assert max(map(len, pushed.batches)) <= MAX_WRITE_BATCH_BYTES


async def test_result_larger_than_a_write_batch_is_sent_alone(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    pushed = Pushed(reads=False)
    async with watching(live_rig, pushed) as watcher, taking(watcher):
        pushed.reads = True
        ids = [await writer.job() for _ in range(3)]
        await writer.claim(*ids)
        await writer.succeed(*ids, result="x" * 2 * MAX_WRITE_BATCH_BYTES)
        await eventually(lambda: received(pushed) == 3)
    assert [batch.count(b'"result":') for batch in pushed.batches] == [1, 1, 1]
