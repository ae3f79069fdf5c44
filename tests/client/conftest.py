"""Fixtures for the tests of the Python client: a client, and a worker in this process."""

from collections.abc import AsyncIterator

import pytest

from ostinato import Ostinato
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.settings import Settings
from tests.engine import functions
from tests.engine.rig import run_worker
from tests.jobs.conftest import FAST_SETTINGS

FUNCTIONS = ("tests.engine.functions", "tests.client.functions")


@pytest.fixture
def client_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"functions": FUNCTIONS, **FAST_SETTINGS})


@pytest.fixture(autouse=True)
def _fresh_functions() -> None:
    functions.gate.reset()
    functions.calls.clear()


@pytest.fixture
async def app(client_settings: Settings) -> AsyncIterator[Ostinato]:
    """Return a client of an installation without a worker."""
    async with Ostinato.open(client_settings) as app:
        yield app


@pytest.fixture
async def app_without_redis(client_settings: Settings) -> AsyncIterator[Ostinato]:
    """Return a client whose Redis is unreachable; the worker's is not."""
    unreachable = f"redis://127.0.0.1:{free_port()}/0"
    async with Ostinato.open(client_settings, redis_url=unreachable) as app:
        yield app


@pytest.fixture
async def worker(client_settings: Settings) -> AsyncIterator[None]:
    """Run a worker in this process."""
    async with run_worker(client_settings):
        yield
