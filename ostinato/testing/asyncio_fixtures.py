"""The harness in the event loop of pytest-asyncio, in its strict and its auto mode."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ostinato.jobs.settings import Settings
from ostinato.testing.harness import Harness
from ostinato.testing.plugin import options_of


@pytest_asyncio.fixture
async def _ostinato_in_asyncio(
    request: pytest.FixtureRequest, ostinato_settings: Settings
) -> AsyncIterator[Harness]:
    async with Harness.open(ostinato_settings, **options_of(request)) as harness:
        yield harness
