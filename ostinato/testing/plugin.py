"""The pytest plugin: the fixtures `ostinato`, `ostinato_blocking` and `ostinato_servers`."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from ostinato.testing.servers import (
    ServersForWorkers,
    ServersMissing,
    SessionServers,
    TestServers,
    request_servers,
)

if TYPE_CHECKING:
    from ostinato.jobs.settings import Settings
    from ostinato.testing.blocking import BlockingHarness
    from ostinato.testing.harness import Harness, HarnessOptions

MARKER: Final = "ostinato(start=…, seed=…, concurrency=…): how the harness of a test runs"
NO_EVENT_LOOP: Final = (
    "the fixture `ostinato` needs an async test: install pytest-asyncio, or mark the test with "
    "`pytest.mark.anyio`; other tests use `ostinato_blocking`"
)
ASYNCIO_ONLY: Final = "the fixture `ostinato` runs on asyncio: let `anyio_backend` return 'asyncio'"
SERVERS: Final = pytest.StashKey[SessionServers]()
FOR_WORKERS: Final = pytest.StashKey[ServersForWorkers]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.stash[SERVERS] = SessionServers()
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.import_plugin("ostinato.testing.asyncio_fixtures")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send a worker of xdist the address at which it asks for the servers."""
    stash = node.config.stash
    if FOR_WORKERS not in stash:
        stash[FOR_WORKERS] = ServersForWorkers(stash[SERVERS])
    for_workers = stash[FOR_WORKERS]
    node.workerinput["ostinato_servers"] = (for_workers.address, for_workers.key)


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].stop()
    if FOR_WORKERS in config.stash:
        config.stash[FOR_WORKERS].close()


@pytest.fixture(scope="session")
def ostinato_servers(request: pytest.FixtureRequest) -> TestServers:
    """Return the servers of this session, which its workers share. Override it to use others: their
    databases `ostinato_test_…` are emptied."""
    place = getattr(request.config, "workerinput", {}).get("ostinato_servers")
    try:
        return request_servers(*place) if place else request.config.stash[SERVERS].start()
    except ServersMissing as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def ostinato_settings(request: pytest.FixtureRequest, ostinato_servers: TestServers) -> "Settings":
    """Return the settings of the harness, with a database for each worker of xdist, and another one
    for the application if OSTINATO_APP_DATABASE is set; others, such as the functions to import,
    are those of the `OSTINATO_…` variables."""
    from ostinato.jobs.settings import Mode, Settings

    worker = getattr(request.config, "workerinput", {}).get("workerid", "master")
    settings = Settings(
        mongo_url=ostinato_servers.mongo_url,
        redis_url=ostinato_servers.redis_url,
        database=f"ostinato_test_{worker}",
        redis_prefix=f"ostinato_test_{worker}",
        mode=Mode.TEST,
    )
    if settings.app_database is None:
        return settings
    return settings.model_copy(update={"app_database": f"ostinato_test_{worker}_app"})


@pytest.fixture
def ostinato(request: pytest.FixtureRequest) -> "Harness":
    """Return a harness in the event loop of the test, with an empty database."""
    if "anyio_backend" in request.fixturenames:
        if request.getfixturevalue("anyio_backend_name") != "asyncio":
            pytest.fail(ASYNCIO_ONLY, pytrace=False)
        name = "_ostinato_in_anyio"
    elif request.config.pluginmanager.hasplugin("asyncio"):
        name = "_ostinato_in_asyncio"
    else:
        pytest.fail(NO_EVENT_LOOP, pytrace=False)
    harness: Harness = request.getfixturevalue(name)
    return harness


@pytest.fixture
async def _ostinato_in_anyio(
    request: pytest.FixtureRequest, ostinato_settings: "Settings"
) -> "AsyncIterator[Harness]":
    from ostinato.testing.harness import Harness

    async with Harness.open(ostinato_settings, **options_of(request)) as harness:
        yield harness


@pytest.fixture
def ostinato_blocking(
    request: pytest.FixtureRequest, ostinato_settings: "Settings"
) -> "Iterator[BlockingHarness]":
    """Return a harness for tests without async, with an empty database."""
    from ostinato.testing.blocking import BlockingHarness

    with BlockingHarness.open(ostinato_settings, **options_of(request)) as harness:
        yield harness


def options_of(request: pytest.FixtureRequest) -> "HarnessOptions":
    """Return the options of the test's marker `ostinato`."""
    marker = request.node.get_closest_marker("ostinato")
    options: HarnessOptions = marker.kwargs if marker else {}
    return options
