"""The change stream: recovery from errors, drops and malformed documents."""

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.change_stream import ChangeStream
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from tests.live.breaking import break_stream
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, follow, ready_cursor
from tests.live.writing import Writer
from tests.processes import eventually

ALL = JobFilter()


async def wait_until_reopened(feed: ChangeFeed, times: int) -> None:
    await eventually(lambda: feed.stats.reopened == times)


async def test_broken_stream_is_reopened_without_a_gap(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    reopenings = feed.stats.reopened  # the history may contain an earlier reopening
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        for round_ in range(1, 4):
            before = await writer.job()
            await break_stream(feed, writer.mongo)
            after = await writer.job()
            assert [change.id for change in await client.take(2)] == [before, after]
            await wait_until_reopened(feed, reopenings + round_)


async def test_dropped_database_resets_subscribers_and_the_stream_continues(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    """The server ends the stream with an invalidation, not an error."""
    reopenings = feed.stats.reopened
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        await client.ready()
        await writer.mongo.client.drop_database(writer.mongo.database.name)
        await ensure_collections(writer.mongo)
        assert (await client.next()).kind is ChangeKind.RESET
        await wait_until_reopened(feed, reopenings + 1)
        job_id = await writer.job()
        seen = await client.next()
        while seen.id is None:
            seen = await client.next()
        assert seen.id == job_id


async def test_change_feed_loads_the_last_minute_of_history_at_start(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, settings: Settings
) -> None:
    for _ in range(5):
        await writer.job()
    with_history = settings.model_copy(update={"hub_history_ms": 60_000})
    async with ChangeFeed(writer.mongo, with_history) as restarted:
        assert restarted.stats.ring >= 5
        assert restarted.following


@pytest.mark.parametrize("damage", [{"timeline": [{"seq": 1}]}, {"scheduledTime": "soon"}])
async def test_malformed_document_does_not_stop_the_change_feed(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, damage: dict[str, object]
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        await writer.mongo["jobs"].insert_one({"_id": "malformed", **damage})
        job_id = await writer.job()
        assert (await client.next()).id == job_id


async def test_change_feed_starts_cold_if_the_warm_up_times_out(
    as_viewer: ContextFactory,
    feed: ChangeFeed,
    writer: Writer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.jobs.changefeed.feed.WARM_UP_TIMEOUT_S", 0)
    monkeypatch.setattr("ostinato.jobs.mongo.change_stream.BATCH_SIZE", 2)
    cursor = await ready_cursor(as_viewer())
    ids = [await writer.job() for _ in range(10)]
    with_history = settings.model_copy(update={"hub_history_ms": 60_000})
    async with (
        ChangeFeed(writer.mongo, with_history) as cold,
        follow(as_viewer(at=cold), cursor) as client,
    ):
        await client.ready()
        assert [change.id for change in await client.take(10)] == ids
        assert cold.stats.ring < 10


async def test_next_batch_is_requested_before_the_last_one_is_processed(writer: Writer) -> None:
    async with ChangeStream(writer.mongo) as stream:
        await stream.open_now()
        assert not stream._requested_at
        await anext(stream.batches())
        assert stream._requested_at


async def test_invalidated_stream_continues_when_its_reader_resumes(writer: Writer) -> None:
    """A feed stops reading for a moment after it has loaded its history."""
    async with ChangeStream(writer.mongo) as stream:
        await stream.open_now()
        await writer.job()
        await writer.mongo.client.drop_database(writer.mongo.database.name)
        async for _ in stream.batches():
            if not stream._cursor:
                break
        await ensure_collections(writer.mongo)
        job_id = await writer.job()
        async for batch in stream.batches():
            if any(event["documentKey"]["_id"] == job_id for event in batch.events):
                break
        assert stream.invalidated == 1
