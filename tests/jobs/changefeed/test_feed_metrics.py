"""The metrics of the change stream: reopenings, invalidations and lost histories."""

import pytest
from pydantic import SecretStr

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import DocumentChange, WatchedCollection
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.settings import Settings
from tests.live.breaking import break_stream, lose_history, unknown_position
from tests.live.scraping import TOKEN, Scraper
from tests.live.writing import Writer
from tests.processes import eventually


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})


async def test_a_broken_stream_is_counted_as_a_reopening(
    scraper: Scraper, feed: ChangeFeed, writer: Writer
) -> None:
    await write_and_process(feed, writer)
    before = await scraper.scrape()
    await break_stream(feed, writer.mongo)
    await eventually(lambda: feed.stats.reopened > before["ostinato_hub_reopenings_total"])
    after = await scraper.scrape()
    assert increases(before, after) == {"hub_reopenings_total": 1}


async def test_a_dropped_database_is_counted_as_an_invalidation(
    scraper: Scraper, feed: ChangeFeed, writer: Writer
) -> None:
    await write_and_process(feed, writer)
    before = await scraper.scrape()
    await writer.mongo.client.drop_database(writer.mongo.database.name)
    await ensure_collections(writer.mongo)
    await eventually(lambda: feed.stats.reopened > before["ostinato_hub_reopenings_total"])
    increased = increases(before, await scraper.scrape())
    assert increased["hub_invalidations_total"] == increased["hub_reopenings_total"] == 1
    assert increased["hub_resets_total"] >= 1
    assert "hub_histories_lost_total" not in increased


async def test_lost_history_is_counted_and_the_stream_continues(
    scraper: Scraper, feed: ChangeFeed, writer: Writer
) -> None:
    unknown = await unknown_position(feed, writer)
    await write_and_process(feed, writer)
    before = await scraper.scrape()
    await lose_history(feed, writer.mongo, unknown)
    await eventually(lambda: feed.stats.resets > before["ostinato_hub_resets_total"])
    increased = increases(before, await scraper.scrape())
    assert increased["hub_histories_lost_total"] == increased["hub_resets_total"] == 1


async def write_and_process(feed: ChangeFeed, writer: Writer) -> DocumentChange:
    """Write a job, and wait until the feed has processed it and all earlier writes."""
    job_id = await writer.job()
    await eventually(lambda: feed.ring.newest_of(WatchedCollection.JOBS, job_id), within=30)
    found = feed.ring.newest_of(WatchedCollection.JOBS, job_id)
    assert found is not None
    return found


def increases(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """Return the increases of the feed's counters, without those that have not changed."""
    feed = {name: value for name, value in now.items() if name.startswith("ostinato_hub_")}
    increased = {
        name: value - before[name] for name, value in feed.items() if name.endswith("_total")
    }
    return {name.removeprefix("ostinato_"): value for name, value in increased.items() if value}
