"""Owns what every test may ask for: real servers, a clean database each, settings."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database
from redis import Redis

from ostinato.cli import tune_gc
from ostinato.jobs.embedded import EmbeddedServers, start_servers
from ostinato.jobs.logs import LogThrottle
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.settings import Mode, Settings
from tests.distribution import Distribution

WORKERS_PER_CORE = 2  # tests wait for servers more than they compute
MOST_WORKERS = 8  # all of them share one mongod
LONGEST = (
    "tests/chaos/test_run",
    "tests/test_demo",
    "tests/browser",
    "tests/test_setup_dev",
    "tests/resolvers/test_merged_view",
    "tests/resolvers/test_hostile_values",
    "tests/jobs/mongo/test_interleavings",
    "tests/jobs/worker/test_outages",
    "tests/jobs/worker/test_crashes",
    "tests/jobs/worker/test_lease_lost",
    "tests/jobs/worker/test_worker_processes",
    "tests/jobs/worker/test_drain",
    "tests/jobs/functions/test_crashes",
    "tests/test_setup_cli",
)
"""What waits longest begins first, so that no worker of the runner is busy alone at the end."""

JWT_SECRET = "a-secret-of-the-tests-of-48-bytes-0123456789abcd"

hypothesis.settings.register_profile(
    "tests",
    deadline=None,  # a busy machine takes as long as it takes
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,  # every example uses an owner of its own
    ],
)
hypothesis.settings.load_profile("tests")

pytest_plugins = ["tests.processes", "tests.live.fixtures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The URLs of the run's servers: one mongod and one Valkey for all workers of the runner."""

    mongo_url: str
    redis_url: str


class SharedServers:
    """Start the servers once in the controlling process and tell each worker their URLs."""

    services: EmbeddedServers | None = None

    def start(self) -> Servers:
        if self.services is None:
            self.folder = Path(tempfile.mkdtemp(prefix="ostinato-tests-"))
            self.services = asyncio.run(start_servers(self.folder))
        return Servers(mongo_url=self.services.mongo_url, redis_url=self.services.redis_url)

    def pytest_configure_node(self, node: Any) -> None:
        servers = self.start()
        node.workerinput["mongo_url"] = servers.mongo_url
        node.workerinput["redis_url"] = servers.redis_url

    def pytest_unconfigure(self) -> None:
        if self.services is not None:
            asyncio.run(self.services.stop())
            shutil.rmtree(self.folder)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS_PER_CORE * (os.cpu_count() or 1), MOST_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Distribution:
    return Distribution(config, log)


def pytest_collection_finish() -> None:
    tune_gc()  # what was collected stays: each full collection of garbage would visit it in vain


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_configure(config: pytest.Config) -> None:
    # asyncio would replace the default handler, and restore it, for every test: 6 % of their time
    signal.signal(signal.SIGINT, _interrupt)
    # the default colours the source of each frame: 2 % of all time
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SharedServers(), "shared-servers")


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """Return the run's real servers."""
    given = getattr(request.config, "workerinput", None)
    if given is not None:
        return Servers(mongo_url=given["mongo_url"], redis_url=given["redis_url"])
    shared = request.config.pluginmanager.getplugin("shared-servers")
    assert isinstance(shared, SharedServers)
    return shared.start()


@pytest.fixture(scope="session")
def mongo_admin(servers: Servers) -> Iterator[MongoClient[dict[str, Any]]]:
    """Return a blocking client for looking at the database behind the product's back."""
    with MongoClient[dict[str, Any]](servers.mongo_url) as client:
        yield client


@pytest.fixture(scope="session")
def redis_admin(servers: Servers, lane: int) -> Iterator[Redis]:
    """Return a blocking client of this lane's Valkey database."""
    with Redis.from_url(f"{servers.redis_url.rpartition('/')[0]}/{lane + 1}") as client:
        yield client


@pytest.fixture(scope="session")
def lane(worker_id: str) -> int:
    """Return the number of this worker of the test runner, from 0."""
    return 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))


@pytest.fixture
def settings(
    lane_settings: Settings, mongo_admin: MongoClient[dict[str, Any]], redis_admin: Redis
) -> Settings:
    """Return settings of an empty database; its indexes stay, for speed."""
    database = mongo_admin[lane_settings.database]
    for name in _filled(database):
        database[name].delete_many({})
    _rebuild_multikey_indexes(database)
    redis_admin.flushdb()
    return lane_settings.model_copy()


@pytest.fixture(scope="session")
def lane_settings(servers: Servers, lane: int) -> Settings:
    """Return the settings of this lane's database, whatever is in it."""
    return Settings(
        mongo_url=servers.mongo_url,
        database=f"test_{lane}",
        redis_url=f"{servers.redis_url.rpartition('/')[0]}/{lane + 1}",
        redis_prefix=f"test-{lane}",
        mode=Mode.TEST,
        hub_history_ms=0,  # other tests wrote it
        jwt_secret=SecretStr(JWT_SECRET),
        port=0,
    )


@pytest.fixture
def _nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the log name malformed documents that other tests have met, too."""
    monkeypatch.setattr("ostinato.jobs.malformed._throttle", LogThrottle(3_600))


def _filled(database: Database[dict[str, Any]]) -> list[str]:
    """Name the collections that are not empty: one question is cheaper than to delete nothing."""
    names = database.list_collection_names(filter={"type": "collection"})
    one = {name: [{"$limit": 1}, {"$project": {"_id": name}}] for name in names}
    each = [{"$unionWith": {"coll": name, "pipeline": one[name]}} for name in names]
    return [found["_id"] for found in database.aggregate([{"$documents": []}, *each])]


def _rebuild_multikey_indexes(database: Database[dict[str, Any]]) -> None:
    """Undo what arrays in the documents of other tests have done to indexes."""
    flagged = {"db": database.name, "md.indexes.multikey": True}
    catalog = database.client.admin.aggregate([{"$listCatalog": {}}, {"$match": flagged}])
    multikey = {
        row["name"]: {each["spec"]["name"] for each in row["md"]["indexes"] if each["multikey"]}
        for row in catalog
    }
    for spec in COLLECTIONS:
        for index in spec.indexes:
            if (name := str(index.document["name"])) in multikey.get(spec.name, ()):
                database[spec.name].drop_index(name)
                database[spec.name].create_indexes([index])
