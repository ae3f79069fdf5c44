"""Fixtures: installations with and without a worker."""

from collections.abc import AsyncIterator

import pytest

from ostinato.jobs.settings import Settings
from tests.jobs.functions import work
from tests.jobs.functions.world import World, open_world, running_world


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that load the tests' own functions."""
    work.faults.clear()
    work.gate.reset()
    return settings.model_copy(update={"functions": ("tests.jobs.functions.work",)})


@pytest.fixture
async def world(pattern_settings: Settings) -> AsyncIterator[World]:
    """Return an installation with a worker in this process."""
    async with running_world(pattern_settings) as world:
        yield world


@pytest.fixture
async def world_without_worker(pattern_settings: Settings) -> AsyncIterator[World]:
    """Return an installation without a worker."""
    async with open_world(pattern_settings) as world:
        yield world
