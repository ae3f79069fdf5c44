"""Owns what every test may ask for: real servers, a clean database each, settings."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from redis import Redis

from jobs.embedded import Services, start_services
from jobs.settings import Mode, Settings

JWT_SECRET = "a-secret-of-the-tests-of-48-bytes-0123456789abcd"

pytest_plugins = ["tests.processes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The URLs of the run's servers: one mongod and one Valkey for all workers of the runner."""

    mongo_url: str
    redis_url: str


class SharedServers:
    """Start the servers once in the controlling process and tell each worker their URLs."""

    services: Services | None = None

    def start(self) -> Servers:
        if self.services is None:
            self.folder = Path(tempfile.mkdtemp(prefix="ostinato-tests-"))
            self.services = asyncio.run(start_services(self.folder))
        return Servers(mongo_url=self.services.mongo_url, redis_url=self.services.redis_url)

    def pytest_configure_node(self, node: Any) -> None:
        servers = self.start()
        node.workerinput["mongo_url"] = servers.mongo_url
        node.workerinput["redis_url"] = servers.redis_url

    def pytest_unconfigure(self) -> None:
        if self.services is not None:
            asyncio.run(self.services.stop())
            shutil.rmtree(self.folder)


def pytest_configure(config: pytest.Config) -> None:
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
    servers: Servers,
    lane: int,
    mongo_admin: MongoClient[dict[str, Any]],
    redis_admin: Redis,
) -> Settings:
    """Return settings of an empty database; its indexes stay, for speed."""
    database = mongo_admin[f"test_{lane}"]
    for name in database.list_collection_names(filter={"type": "collection"}):
        database[name].delete_many({})
    redis_admin.flushdb()
    return Settings(
        mongo_url=servers.mongo_url,
        database=database.name,
        redis_url=f"{servers.redis_url.rpartition('/')[0]}/{lane + 1}",
        redis_prefix=f"test-{lane}",
        mode=Mode.TEST,
        hub_history_ms=0,  # other tests wrote it
        jwt_secret=SecretStr(JWT_SECRET),
        port=0,
    )
