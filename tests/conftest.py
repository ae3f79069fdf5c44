"""Shared fixtures: real servers, an empty database per test, settings."""

import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import structlog
from pydantic import SecretStr
from pymongo import MongoClient, settings_shared
from pymongo.database import Database
from redis import Redis

from ostinato.cli import tune_gc
from ostinato.jobs.logs import LogThrottle
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.registry import registry
from ostinato.jobs.settings import Mode, Settings
from ostinato.testing.database import COLLECTIONS_ONLY, nonempty_collections
from ostinato.testing.servers import TestServers
from tests.distribution import Distribution

WORKERS_PER_CORE = 2  # tests wait for servers more than they compute
MAX_WORKERS = 8  # all of them share one mongod
SLOW_MODULES = (
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
"""The slowest modules. They start first, so that the workers finish at about the same time."""

JWT_SECRET = "a-secret-of-the-tests-of-48-bytes-0123456789abcd"

hypothesis.settings.register_profile(
    "tests",
    deadline=None,  # no deadline: a busy machine is slow
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,  # each example uses its own owner
    ],
)
hypothesis.settings.load_profile("tests")

pytest_plugins = ["tests.processes", "tests.live.fixtures", "tests.audit.report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The URLs of the run's servers: one mongod and one Valkey for all workers of the runner."""

    mongo_url: str
    redis_url: str

    def mongo_url_for(self, user: str, password: str) -> str:
        """Return the URL of the mongod with another user."""
        return f"mongodb://{user}:{password}@{self.mongo_url.rpartition('@')[2]}"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS_PER_CORE * (os.cpu_count() or 1), MAX_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Distribution:
    return Distribution(config, log)


def pytest_collection_finish() -> None:
    tune_gc()  # test items live until exit: exclude them from garbage collection


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW_MODULES))


def pytest_configure() -> None:
    # With the default SIGINT handler, asyncio installs and removes its own for every test,
    # which takes 6 % of the run.
    signal.signal(signal.SIGINT, _interrupt)
    # The default highlights the source in tracebacks, which takes 2 % of the run.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    # The driver formats its caller's stack for each client; pytest's deep one takes 1.5 ms.
    vars(settings_shared)["traceback"] = SimpleNamespace(format_stack=list)
    # Each new client derives the same key from the same password, which takes 4 ms.
    vars(hashlib)["pbkdf2_hmac"] = cache(hashlib.pbkdf2_hmac)


@pytest.fixture(scope="session")
def servers(ostinato_servers: TestServers) -> Servers:
    """Return the run's real servers."""
    return Servers(mongo_url=ostinato_servers.mongo_url, redis_url=ostinato_servers.redis_url)


@pytest.fixture(scope="session")
def mongo_admin(servers: Servers) -> Iterator[MongoClient[dict[str, Any]]]:
    """Return a blocking client that reads and writes the database directly, bypassing Ostinato."""
    with MongoClient[dict[str, Any]](servers.mongo_url) as client:
        yield client


@pytest.fixture(scope="session")
def redis_admin(servers: Servers, worker_index: int) -> Iterator[Redis]:
    """Return a blocking client of this worker's Valkey database."""
    with Redis.from_url(f"{servers.redis_url.rpartition('/')[0]}/{worker_index + 1}") as client:
        yield client


@pytest.fixture(autouse=True)
def declared_crons() -> Iterator[None]:
    """Forget the crons that a test declares or imports: workers of later tests would run them."""
    known = dict(registry.static_crons)
    yield
    registry.static_crons.clear()
    registry.static_crons.update(known)


@pytest.fixture(scope="session")
def worker_index(worker_id: str) -> int:
    """Return the index of this worker of the test runner, from 0."""
    return 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))


@pytest.fixture
def settings(
    worker_settings: Settings, mongo_admin: MongoClient[dict[str, Any]], redis_admin: Redis
) -> Settings:
    """Return settings of an empty database; its indexes remain, for speed."""
    database = mongo_admin[worker_settings.database]
    names = database.list_collection_names(filter=COLLECTIONS_ONLY)
    for found in database.aggregate(nonempty_collections(names)):
        database[found["_id"]].delete_many({})
    _rebuild_multikey_indexes(database)
    redis_admin.flushdb()
    return worker_settings.model_copy()


@pytest.fixture(scope="session")
def worker_settings(servers: Servers, worker_index: int) -> Settings:
    """Return the settings of this worker's database, without emptying it."""
    return Settings(
        mongo_url=servers.mongo_url,
        database=f"test_{worker_index}",
        redis_url=f"{servers.redis_url.rpartition('/')[0]}/{worker_index + 1}",
        redis_prefix=f"test-{worker_index}",
        mode=Mode.TEST,
        hub_history_ms=0,  # the history contains changes of other tests
        jwt_secret=SecretStr(JWT_SECRET),
        port=0,
        watchdog_ms=0,  # tests of alerts check by themselves
        operations_per_second=0,  # all tests come from one address
        failed_tokens_per_second=0,
    )


@pytest.fixture
def _fresh_malformed_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the throttle, so that documents already logged by another test are logged again."""
    monkeypatch.setattr("ostinato.jobs.malformed._throttle", LogThrottle(3_600))


def _rebuild_multikey_indexes(database: Database[dict[str, Any]]) -> None:
    """Rebuild indexes that arrays in other tests' documents made multikey."""
    flagged = {"db": database.name, "md.indexes.multikey": True}
    catalog = database.client.admin.aggregate([{"$listCatalog": {}}, {"$match": flagged}])
    multikey = {
        row["name"]: {index["spec"]["name"] for index in row["md"]["indexes"] if index["multikey"]}
        for row in catalog
    }
    for spec in COLLECTIONS:
        for index in spec.indexes:
            if (name := str(index.document["name"])) in multikey.get(spec.name, ()):
                database[spec.name].drop_index(name)
                database[spec.name].create_indexes([index])
