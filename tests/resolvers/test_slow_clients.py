"""Slow, quiet and leaving clients of live queries."""

import asyncio
from dataclasses import replace

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import SlowConsumer
from ostinato.jobs.records import Job
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage
from tests.live.breaking import wait_until_processed
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, follow, ready_cursor, received
from tests.live.writing import Writer
from tests.processes import eventually


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"ring_events": 4, "subscription_buffer": 10})


async def test_slow_reader_continues_from_the_history(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    async with follow(as_viewer()) as client:
        await client.ready()
        first = await writer.job()
        assert (await client.next()).id == first
        for _ in range(10):
            await writer.run()
        await wait_until_processed(feed)
        assert len(set(received(await client.take(30)))) == 30


async def test_quiet_subscription_gets_checkpoints(
    as_viewer: ContextFactory, engine: Engine, writer: Writer
) -> None:
    often = engine.settings.model_copy(update={"checkpoint_ms": 100})
    ctx = as_viewer()
    ctx.engine = replace(engine, settings=often)
    async with follow(ctx) as client:
        ready = await client.ready()
        assert (await client.next()).kind is ChangeKind.CHECKPOINT
        await writer.job("bob")
        checkpoints = await client.take(5)
    assert {c.kind for c in checkpoints} == {ChangeKind.CHECKPOINT}
    assert checkpoints[-1].cursor > ready.cursor


async def test_subscriptions_are_removed_when_clients_leave(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    for _ in range(6):
        await writer.job()
    await wait_until_processed(feed)
    for after in (None, cursor):
        async with follow(as_viewer(), after) as client:
            await client.ready()
            await writer.job()
            await client.next()
    await eventually(lambda: (feed.stats.subscriptions, feed.stats.filters) == (0, 0))


async def test_concurrent_reads_of_objects_are_combined(feed: ChangeFeed, writer: Writer) -> None:
    ids = [await writer.job() for _ in range(3)]
    found = await asyncio.gather(*(feed.load(Job, [job_id], feed.position) for job_id in ids))
    assert set(found[0]) == set(ids)
    assert all(loaded[name] is found[0][name] for loaded in found for name in ids)


async def test_reader_that_blocks_a_catch_up_stream_is_closed(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.changefeed.replay.STALL_TIMEOUT_S", 0.05)
    monkeypatch.setattr("ostinato.jobs.mongo.change_stream.BATCH_SIZE", 2)
    cursor = await ready_cursor(as_viewer())
    ids = [await writer.job() for _ in range(12)]
    await wait_until_processed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        taken = [await client.next()]
        await eventually(lambda: feed.replays.running == 0)
        with pytest.raises(SlowConsumer):
            await read_until_closed(client, taken)
    assert [change.id for change in taken] == ids[: len(taken)]


async def read_until_closed(
    client: Client[LiveMessage[Job]], taken: list[LiveMessage[Job]]
) -> None:
    while True:
        taken.append(await client.next())
