"""What `/metrics` tells of the hub's stream, when something happens to it."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import DocumentChange, WatchedCollection
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.settings import Settings
from tests.live.breaking import break_stream, lose_history, no_position
from tests.live.scraping import TOKEN, Scraper, scraped
from tests.live.writing import Writer
from tests.processes import eventually


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})


@pytest.fixture
async def scraper(engine: Engine, feed: ChangeFeed) -> AsyncIterator[Scraper]:
    async with scraped(engine, feed) as scraper:
        yield scraper


async def test_broken_stream_is_told_as_a_reopening(
    scraper: Scraper, feed: ChangeFeed, write: Writer
) -> None:
    await followed(feed, write)
    before = await scraper.scrape()
    await break_stream(feed, write.mongo)
    await eventually(lambda: feed.stats.reopened > before["ostinato_hub_reopenings_total"])
    told = await scraper.scrape()
    assert moved(before, told) == {"hub_reopenings_total": 1}


async def test_dropped_database_is_told_as_an_invalidation(
    scraper: Scraper, feed: ChangeFeed, write: Writer
) -> None:
    await followed(feed, write)
    before = await scraper.scrape()
    await write.mongo.client.drop_database(write.mongo.database.name)
    await ensure_collections(write.mongo)
    await eventually(lambda: feed.stats.reopened > before["ostinato_hub_reopenings_total"])
    risen = moved(before, await scraper.scrape())
    assert risen["hub_invalidations_total"] == risen["hub_reopenings_total"] == 1
    assert risen["hub_resets_total"] >= 1
    assert "hub_histories_lost_total" not in risen


async def test_lost_history_is_told_and_the_stream_goes_on(
    scraper: Scraper, feed: ChangeFeed, write: Writer
) -> None:
    nowhere = await no_position(feed, write)
    await followed(feed, write)
    before = await scraper.scrape()
    await lose_history(feed, write.mongo, nowhere)
    await eventually(lambda: feed.stats.resets > before["ostinato_hub_resets_total"])
    risen = moved(before, await scraper.scrape())
    assert risen["hub_histories_lost_total"] == risen["hub_resets_total"] == 1


async def followed(feed: ChangeFeed, write: Writer) -> DocumentChange:
    """Write a job, and wait until the feed has it: other tests wrote what is before."""
    job_id = await write.job()
    await eventually(lambda: feed.ring.newest_of(WatchedCollection.JOBS, job_id), within=30)
    found = feed.ring.newest_of(WatchedCollection.JOBS, job_id)
    assert found is not None
    return found


def moved(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """Return by how much the hub's counters have risen, those that have."""
    feed = {name: figure for name, figure in now.items() if name.startswith("ostinato_hub_")}
    risen = {
        name: figure - before[name] for name, figure in feed.items() if name.endswith("_total")
    }
    return {name.removeprefix("ostinato_"): figure for name, figure in risen.items() if figure}
