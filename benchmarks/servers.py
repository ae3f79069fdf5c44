"""The servers of one run: MongoDB, Valkey, a Valkey that journals each write, and PostgreSQL.

PostgreSQL is Debian's, so that it may be missing; the others are installed with the product.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from redis import Redis

from benchmarks import postgres
from benchmarks.postgres import Postgres
from benchmarks.processes import CouldNotRun
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
    installed_postgres: Postgres | None = None

    @property
    def postgres(self) -> Postgres:
        """Return PostgreSQL; raises CouldNotRun if this run started none."""
        if self.installed_postgres is None:
            raise CouldNotRun(postgres.MISSING)
        return self.installed_postgres

    @property
    def postgreses(self) -> tuple[Child, ...]:
        return (self.installed_postgres.child,) if self.installed_postgres else ()

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
        if self.installed_postgres is not None:
            self.installed_postgres.clean()


def query_number(redis: Redis, *command: str) -> int:
    """Run a command that returns a number."""
    answer: Any = redis.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped there
    return int(answer or 0)


@contextmanager
def started(folder: Path, *, with_postgres: bool = False) -> Iterator[Servers]:
    """Start all servers, with their data under the folder, and PostgreSQL if it is installed."""
    services = asyncio.run(start_servers(folder))
    valkey, mongod = services.children
    try:
        fsynced, fsynced_url = asyncio.run(start_valkey(folder / "fsynced"))
        with (
            MongoClient[Document](services.mongo_url) as mongo,
            Redis.from_url(services.redis_url) as redis,
            Redis.from_url(fsynced_url) as fsyncing,
            _postgres() if with_postgres else nullcontext() as found_postgres,
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
                    installed_postgres=found_postgres,
                )
            finally:
                asyncio.run(fsynced.stop())
    finally:
        asyncio.run(services.stop())


@contextmanager
def _postgres() -> Iterator[Postgres | None]:
    """Start PostgreSQL; say what is missing if that is not possible."""
    try:
        postgres.binaries()
    except CouldNotRun as error:
        print(f"{error}; its peers are left out.", flush=True)
        yield None
        return
    with postgres.started() as running:
        yield running
