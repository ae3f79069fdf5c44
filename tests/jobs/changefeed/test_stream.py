"""The hub's one stream: what breaks it, and that nobody notices."""

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.change_stream import ChangeStream
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import jobs_changed
from tests.live.breaking import break_stream
from tests.live.fixtures import As
from tests.live.reading import Client, disconnected, follow
from tests.live.writing import Writer
from tests.processes import eventually

ALL = JobFilter()


async def reopened(feed: ChangeFeed, times: int) -> None:
    await eventually(lambda: feed.stats.reopened == times)


async def test_broken_stream_is_reopened_without_a_gap(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    reopenings = feed.stats.reopened  # the last minute may hold the end of another stream
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        for round_ in range(1, 4):
            before = await write.job()
            await break_stream(feed, write.mongo)
            after = await write.job()
            assert [change.id for change in await client.take(2)] == [before, after]
            await reopened(feed, reopenings + round_)


async def test_dropped_database_resets_and_the_stream_goes_on(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    """The server ends such a stream with an invalidation and without an error."""
    reopenings = feed.stats.reopened
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        await client.ready()
        await write.mongo.client.drop_database(write.mongo.database.name)
        await ensure_collections(write.mongo)
        assert (await client.next()).kind is ChangeKind.RESET
        await reopened(feed, reopenings + 1)
        job_id = await write.job()
        seen = await client.next()
        while seen.id is None:
            seen = await client.next()
        assert seen.id == job_id


async def test_hub_that_starts_knows_the_last_minute(
    as_viewer: As, feed: ChangeFeed, write: Writer, settings: Settings
) -> None:
    for _ in range(5):
        await write.job()
    usual = settings.model_copy(update={"hub_history_ms": 60_000})
    async with ChangeFeed(write.mongo, usual) as restarted:
        assert restarted.stats.ring >= 5
        assert restarted.following


@pytest.mark.parametrize("damage", [{"timeline": [{"seq": 1}]}, {"scheduledTime": "soon"}])
async def test_one_damaged_document_does_not_stop_the_hub(
    as_viewer: As, feed: ChangeFeed, write: Writer, damage: dict[str, object]
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        await write.mongo["jobs"].insert_one({"_id": "damaged", **damage})
        job_id = await write.job()
        assert (await client.next()).id == job_id


async def test_hub_that_has_too_much_to_read_starts_at_the_present(
    as_viewer: As,
    feed: ChangeFeed,
    write: Writer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.jobs.changefeed.feed.WARM_UP_TIMEOUT_S", 0)
    monkeypatch.setattr("ostinato.jobs.mongo.change_stream.BATCH_SIZE", 2)
    cursor = await disconnected(as_viewer())
    ids = [await write.job() for _ in range(10)]
    usual = settings.model_copy(update={"hub_history_ms": 60_000})
    async with (
        ChangeFeed(write.mongo, usual) as cold,
        follow(as_viewer(at=cold), cursor) as client,
    ):
        await client.ready()
        assert [change.id for change in await client.take(10)] == ids
        assert cold.stats.ring < 10


async def test_what_comes_next_is_asked_for_before_the_last_is_worked_on(write: Writer) -> None:
    async with ChangeStream(write.mongo) as stream:
        await stream.open_now()
        assert not stream._requested_at
        await anext(stream.batches())
        assert stream._requested_at


async def test_stream_that_was_ended_goes_on_for_who_reads_on_later(write: Writer) -> None:
    """A feed that has read its history stops reading for a moment."""
    async with ChangeStream(write.mongo) as stream:
        await stream.open_now()
        await write.job()
        await write.mongo.client.drop_database(write.mongo.database.name)
        async for _ in stream.batches():
            if not stream._cursor:
                break
        await ensure_collections(write.mongo)
        job_id = await write.job()
        async for batch in stream.batches():
            if any(event["documentKey"]["_id"] == job_id for event in batch.events):
                break
        assert stream.invalidated == 1
