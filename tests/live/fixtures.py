"""Owns what the tests of the live layer share: an engine, a feed, a writer, viewers."""

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
from tests.live.reading import Finds
from tests.live.watching import Station, Watcher
from tests.live.writing import Writer

As: TypeAlias = Callable[..., RequestContext]


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    """Return settings; a module that needs other bounds overrides this."""
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
def write(engine: Engine) -> Writer:
    return Writer(engine.mongo)


@pytest.fixture
def as_viewer(engine: Engine, feed: ChangeFeed) -> As:
    """Return a factory of request contexts: `as_viewer("ann")`, `as_viewer("root", "admin")`."""

    def make(name: str = "ann", *roles: str, at: ChangeFeed | None = None) -> RequestContext:
        viewer = Viewer(id=name, roles=frozenset(roles))
        return RequestContext(caller=viewer, engine=engine, feed=at or feed)

    return make


@pytest.fixture
async def station(engine: Engine, feed: ChangeFeed) -> AsyncIterator[Station]:
    async with Station.open(graphql_schema, engine, feed) as station:
        yield station


@pytest.fixture
async def finds(engine: Engine) -> AsyncIterator[Finds]:
    database = engine.mongo.database
    await database.command("profile", 2)
    yield Finds(engine.mongo)
    await database.command("profile", 0)
    await database.drop_collection("system.profile")


class Started:
    """Bring watchers to wait for what comes behind READY; whoever is left leaves in the end."""

    def __init__(self) -> None:
        self._waiting: dict[Watcher, asyncio.Task[dict[str, Any]]] = {}
        self._stack = AsyncExitStack()

    async def __call__(self, *watchers: Watcher, up_to: str | None = None) -> None:
        """Read READY of each, and on up to a job if one is named."""
        for watcher in watchers:
            await self._stack.enter_async_context(watcher)
            await watcher.ready()
            while up_to is not None and (await watcher.next())["jobId"] != up_to:
                pass
            self._waiting[watcher] = asyncio.create_task(watcher.next())

    async def told(self) -> list[dict[str, Any]]:
        """Return the next message of each; they wait for the one behind."""
        told = await asyncio.gather(*self._waiting.values())
        for watcher in self._waiting:
            self._waiting[watcher] = asyncio.create_task(watcher.next())
        return told

    async def leave(self) -> None:
        for task in self._waiting.values():
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)
        await self._stack.aclose()


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    started = Started()
    yield started
    await started.leave()
