"""Fixtures for tests of live queries: an engine, a change feed, a writer and contexts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext
from ostinato.schema.build import graphql_schema
from tests.live.reading import JobReadCounter
from tests.live.scraping import Scraper, scraped
from tests.live.watching import SubscriptionRig, Watcher
from tests.live.writing import Writer

ContextFactory: TypeAlias = Callable[..., RequestContext]


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    """Return the settings; test modules override this fixture to change them."""
    return settings


@pytest.fixture
async def engine(live_settings: Settings) -> AsyncIterator[Engine]:
    async with Engine.open(live_settings) as engine:
        yield engine


@pytest.fixture
async def feed(engine: Engine) -> AsyncIterator[ChangeFeed]:
    async with ChangeFeed(engine.mongo, engine.settings) as feed:
        yield feed


@pytest.fixture
def writer(engine: Engine) -> Writer:
    return Writer(engine.mongo)


@pytest.fixture
def as_viewer(engine: Engine, feed: ChangeFeed) -> ContextFactory:
    """Return a factory of request contexts: `as_viewer("ann")`, `as_viewer("root", "admin")`."""

    def make(name: str = "ann", *roles: str, at: ChangeFeed | None = None) -> RequestContext:
        viewer = Viewer(id=name, roles=frozenset(roles))
        return RequestContext(caller=viewer, engine=engine, feed=at or feed)

    return make


@pytest.fixture
async def live_rig(engine: Engine, feed: ChangeFeed) -> AsyncIterator[SubscriptionRig]:
    async with SubscriptionRig.open(graphql_schema, engine, feed) as live_rig:
        yield live_rig


@pytest.fixture
async def job_reads(engine: Engine) -> AsyncIterator[JobReadCounter]:
    database = engine.mongo.database
    await database.command("profile", 2)
    yield JobReadCounter(engine.mongo)
    await database.command("profile", 0)
    await database.drop_collection("system.profile")


class WatcherGroup:
    """Watchers that have read READY and wait for their next messages."""

    def __init__(self) -> None:
        self._waiting: dict[Watcher, asyncio.Task[dict[str, Any]]] = {}
        self._stack = AsyncExitStack()

    async def start(self, *watchers: Watcher, up_to: str | None = None) -> None:
        """Add watchers: read up to READY, and up to a change of the job `up_to` if given."""
        for watcher in watchers:
            await self._stack.enter_async_context(watcher)
            await watcher.ready()
            while up_to is not None and (await watcher.next())["jobId"] != up_to:
                pass
            self._waiting[watcher] = asyncio.create_task(watcher.next())

    async def received(self) -> list[dict[str, Any]]:
        """Return the next message of each watcher, and start waiting for the one after it."""
        received = await asyncio.gather(*self._waiting.values())
        for watcher in self._waiting:
            self._waiting[watcher] = asyncio.create_task(watcher.next())
        return received

    async def close(self) -> None:
        for task in self._waiting.values():
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)
        await self._stack.aclose()


@pytest.fixture
async def watcher_group() -> AsyncIterator[WatcherGroup]:
    watcher_group = WatcherGroup()
    yield watcher_group
    await watcher_group.close()


@pytest.fixture
async def scraper(engine: Engine, feed: ChangeFeed) -> AsyncIterator[Scraper]:
    """Return a client of `/metrics`; its module sets the token in `live_settings`."""
    async with scraped(engine, feed) as scraper:
        yield scraper
