"""Owns what the tests of the live layer share: an engine, a hub, a writer, viewers."""

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest

from jobs.engine import Engine
from jobs.hub import Hub
from jobs.settings import Settings
from resolvers.auth import Viewer
from resolvers.request import RequestContext
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
async def hub(engine: Engine) -> AsyncIterator[Hub]:
    async with Hub(engine.mongo, engine.settings) as hub:
        yield hub


@pytest.fixture
def write(engine: Engine) -> Writer:
    return Writer(engine.mongo)


@pytest.fixture
def as_viewer(engine: Engine, hub: Hub) -> As:
    """Return a factory of request contexts: `as_viewer("ann")`, `as_viewer("root", "admin")`."""

    def make(name: str = "ann", *roles: str, at: Hub | None = None) -> RequestContext:
        viewer = Viewer(id=name, roles=frozenset(roles))
        return RequestContext(caller=viewer, engine=engine, hub=at or hub)

    return make
