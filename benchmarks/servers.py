"""The servers of one run: MongoDB, Valkey, and a Valkey that journals each write."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from redis import Redis

from ostinato.jobs.embedded import start_servers
from ostinato.jobs.embedded.process import Child
from ostinato.jobs.embedded.servers import start_valkey

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    folder: Path
    mongo_url: str
    redis_url: str
    fsynced_url: str
    mongo: "MongoClient[Document]"
    redis: Redis
    fsynced: Redis
    mongod: Child
    valkeys: tuple[Child, Child]

    @property
    def marks(self) -> Path:
        """The file with the notes of measured jobs."""
        return self.folder / "marks"

    def clean(self) -> None:
        """Remove all data of the last measurement."""
        for redis in (self.redis, self.fsynced):
            redis.flushall()
        for name in self.mongo.list_database_names():
            if name not in {"admin", "config", "local"}:
                self.mongo.drop_database(name)


def query_number(redis: Redis, *command: str) -> int:
    """Run a command that returns a number."""
    answer: Any = redis.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped there
    return int(answer or 0)


@contextmanager
def started(folder: Path) -> Iterator[Servers]:
    """Start all servers, with their data under the folder."""
    services = asyncio.run(start_servers(folder))
    valkey, mongod = services.children
    try:
        fsynced, fsynced_url = asyncio.run(start_valkey(folder / "fsynced"))
        with (
            MongoClient[Document](services.mongo_url) as mongo,
            Redis.from_url(services.redis_url) as redis,
            Redis.from_url(fsynced_url) as fsyncing,
        ):
            redis.config_set("appendonly", "no")
            fsyncing.config_set("appendfsync", "always")
            try:
                yield Servers(
                    folder=folder,
                    mongo_url=services.mongo_url,
                    redis_url=services.redis_url,
                    fsynced_url=fsynced_url,
                    mongo=mongo,
                    redis=redis,
                    fsynced=fsyncing,
                    mongod=mongod,
                    valkeys=(valkey, fsynced),
                )
            finally:
                asyncio.run(fsynced.stop())
    finally:
        asyncio.run(services.stop())
