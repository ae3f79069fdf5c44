"""Slow subscribers of a broadcast: the others are not delayed, and slow ones are closed."""

import asyncio
from typing import Any

import pytest

from ostinato.jobs.errors import SlowConsumer
from ostinato.jobs.settings import Settings
from ostinato.schema.ids import global_id
from tests.live.fixtures import WatcherGroup
from tests.live.watching import JOBS, Pushed, SubscriptionRig, Watcher
from tests.live.writing import Writer
from tests.processes import eventually

LIMIT = 10


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"subscription_buffer": LIMIT, "ring_events": 4})


async def slow_watcher(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup, **options: Any
) -> Watcher:
    """Return a watcher that stops reading, in a broadcast with one that continues."""
    slow = live_rig.watch(**options)
    waiting = await slow.start_waiting()
    await watcher_group.start(live_rig.watch())
    await eventually(lambda: live_rig.broadcasts == [2])
    await writer.job()
    assert len(await watcher_group.received()) == 1
    await waiting
    return slow


async def test_slow_subscriber_does_not_delay_the_others(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    async with await slow_watcher(live_rig, writer, watcher_group):
        for _ in range(3 * LIMIT):
            job_id = global_id("Job", await writer.job())
            assert (await watcher_group.received())[0]["jobId"] == job_id


async def test_slow_subscriber_is_closed_and_resumes_with_its_cursor(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    async with await slow_watcher(live_rig, writer, watcher_group) as slow:
        ids = [await write_and_receive(writer, watcher_group) for _ in range(2 * LIMIT)]
        with pytest.raises(SlowConsumer):
            await slow.take(2 * LIMIT)
        assert live_rig.runner.metrics.ended["subscription", "SLOW_CONSUMER"] == 1
        cursor = slow.encoded[-1].cursor
    async with live_rig.watch(JOBS, after=cursor) as again:
        await again.ready()
        assert [message["jobId"] for message in await again.take(2 * LIMIT)] == ids


async def write_and_receive(writer: Writer, watcher_group: WatcherGroup) -> str:
    job_id = global_id("Job", await writer.job())
    assert (await watcher_group.received())[0]["jobId"] == job_id
    return str(job_id)


async def test_slow_subscriber_within_the_limit_gets_every_change(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    async with await slow_watcher(live_rig, writer, watcher_group) as slow:
        ids = [await write_and_receive(writer, watcher_group) for _ in range(LIMIT)]
        assert [message["jobId"] for message in await slow.take(LIMIT)] == ids
        waiting = asyncio.create_task(slow.next())
        last = await write_and_receive(writer, watcher_group)
        assert (await waiting)["jobId"] == last


async def test_slow_coalescing_subscriber_gets_the_newest_change_of_each_job(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    async with await slow_watcher(live_rig, writer, watcher_group, coalesce=True) as slow:
        job_id, other = await writer.job(), await writer.job()
        for number in range(2 + 2 * LIMIT):
            if number >= 2:
                await (writer.retry if number % 2 else writer.claim)(job_id)
            await watcher_group.received()
        received = [(message["jobId"], message["event"]["seq"]) for message in await slow.take(2)]
        assert received == [(global_id("Job", other), 1), (global_id("Job", job_id), 2 * LIMIT + 1)]
        waiting = asyncio.create_task(slow.next())
        assert await write_and_receive(writer, watcher_group) == (await waiting)["jobId"]


async def test_coalescing_is_limited_by_the_number_of_jobs(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    async with await slow_watcher(live_rig, writer, watcher_group, coalesce=True) as slow:
        for _ in range(LIMIT + 2):
            await write_and_receive(writer, watcher_group)
        with pytest.raises(SlowConsumer):
            await slow.next()


async def test_results_that_cannot_be_pushed_stay_in_the_buffer(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    pushed = Pushed(reads=False)
    async with live_rig.watch(push=pushed) as watcher:
        waiting = await watcher.start_waiting()
        pushed.reads = True
        await watcher_group.start(live_rig.watch())
        await eventually(lambda: live_rig.broadcasts == [2])
        first = await write_and_receive(writer, watcher_group)
        pushed.reads = False
        second = await write_and_receive(writer, watcher_group)
        assert (await waiting)["jobId"] == second
    assert first.encode() in pushed.batches[0]
    assert len(pushed.batches) == 1


async def test_failed_subscriber_does_not_delay_the_others(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    bad = live_rig.watch()
    task = await bad.start_waiting()
    await watcher_group.start(live_rig.watch())
    await eventually(lambda: live_rig.broadcasts == [2])
    task.cancel()
    await write_and_receive(writer, watcher_group)
    await eventually(lambda: live_rig.broadcasts == [1])
