"""Fixtures for the engine tests: settings, and installations with and without a worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from ostinato.jobs.embedded import servers
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from tests.engine import functions
from tests.engine.proxy import Proxy, proxied
from tests.engine.rig import Rig, run_worker

FUNCTION_MODULES = (
    "tests.engine.functions",
    "tests.engine.process_killers",
    "tests.engine.attempt_log",
    "tests.engine.shared_transactions",
    "tests.engine.scheduling_when_canceled",
    "tests.engine.log_writing",
    "tests.engine.self_cancelling",
)
FAST_SETTINGS = {
    "heartbeat_ms": 300,
    "lease_ms": 2_000,
    "sweep_ms": 200,
    "drain_timeout_ms": 300,
    "mutation_timeout_ms": 55_000,
}
"""A lease short enough to wait for, and timeouts long enough for a busy machine."""


@pytest.fixture(scope="module")
def failing_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a mongod with fail points enabled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(servers.MONGOD_PARAMETERS, "enableTestCommands", "1")
        start = servers.start_mongod(tmp_path_factory.mktemp("failing"))
        server, url = asyncio.run(start)
    yield url
    asyncio.run(server.stop())


@pytest.fixture
def fast_settings(settings: Settings) -> Settings:
    """Return settings that load the tests' functions and detect lost workers within two seconds."""
    return settings.model_copy(update={"functions": FUNCTION_MODULES, **FAST_SETTINGS})


@pytest.fixture
def queue(settings: Settings) -> str:
    """Return the name of arq's queue in Redis."""
    return f"{settings.redis_prefix}:queue"


@pytest.fixture(autouse=True)
def _fresh_functions() -> None:
    functions.gate.reset()
    functions.calls.clear()


@pytest.fixture
async def rig_without_worker(fast_settings: Settings) -> AsyncIterator[Rig]:
    """Return an installation without a worker."""
    async with Engine.open(fast_settings) as engine:
        yield Rig(engine)


@pytest.fixture
async def rig(fast_settings: Settings, rig_without_worker: Rig) -> AsyncIterator[Rig]:
    """Return an installation with a worker in this process."""
    async with run_worker(fast_settings):
        yield rig_without_worker


@pytest.fixture
def held_rig(ostinato: Harness) -> Rig:
    """Return an installation that runs jobs while the harness `ostinato` moves its clock."""
    engine = ostinato.app.engine
    engine.registry.load(FUNCTION_MODULES)
    return Rig(engine)


@pytest.fixture
async def mongo_proxy(fast_settings: Settings) -> AsyncIterator[Proxy]:
    """Return a proxy between the engine and MongoDB."""
    # Without directConnection, the driver would connect to the replica set's members directly.
    base, _, _ = fast_settings.mongo_url.partition("?")
    async with proxied(f"{base}?directConnection=true") as proxy:
        yield proxy
