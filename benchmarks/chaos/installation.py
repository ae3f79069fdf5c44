"""The processes of one run: servers, API and workers; each can be killed and restarted."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from benchmarks.chaos.ledger import EFFECTS, NOTES, TALLIES
from benchmarks.chaos.plan import TALLY_NAMES
from benchmarks.chaos.rejections import TEST_COMMANDS
from benchmarks.processes import ROOT
from ostinato.cli import COMMAND
from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.embedded.servers import (
    mongod_url,
    start_mongod,
    start_valkey,
    valkey_url,
)
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token

DATABASE: Final = "chaos"
SECRET: Final = "a-secret-of-the-chaos-runs-0123456789abcdef"  # noqa: S105 - no real secret
USERS: Final = ("ada", "ben", "cleo")
WORKERS: Final = ("worker-0", "worker-1", "worker-2")
SUPERVISED: Final = (*WORKERS, "api")
START_MESSAGES: Final = ("worker.started", "Application startup complete")
START_S: Final = 120.0  # a slow machine gets more time
STOP_S: Final = 10.0
POLL_S: Final = 0.02
SUPERVISE_EVERY_S: Final = 0.1
TRANSACTION_LIMIT_S: Final = 60  # MongoDB's default; a killed transaction keeps its locks so long

Mongo = MongoClient[dict[str, Any]]
AnyInstallation = TypeVar("AnyInstallation", bound="Installation")


class FaultLog:
    """The log of faults, and of processes that ended unexpectedly."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **details: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"at": time.time(), "event": event, **details}) + "\n")


@dataclass(slots=True, kw_only=True)
class Installation:
    folder: Path
    mongo_port: int = field(default_factory=free_port)
    valkey_port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    children: dict[str, Child] = field(default_factory=dict)
    """The running processes, by name."""
    _starts: "count[int]" = field(default_factory=count)
    _started_at: dict[str, float] = field(default_factory=dict)
    _mongod_started_at: float = 0.0

    @property
    def supervised(self) -> tuple[str, ...]:
        """Return the names of the processes that are restarted when they end."""
        return SUPERVISED

    @property
    def mongo_url(self) -> str:
        return mongod_url(self.folder, self.mongo_port)

    @property
    def redis_url(self) -> str:
        return valkey_url(self.folder, self.valkey_port)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def fault_log(self) -> FaultLog:
        return FaultLog(self.folder / "faults.jsonl")

    def tokens(self) -> list[str]:
        """Sign a token for each user."""
        settings = Settings(jwt_secret=SecretStr(SECRET))
        return [issue_token(settings, user) for user in USERS]

    def mongo(self) -> Mongo:
        """Connect to MongoDB; the caller closes the client."""
        return MongoClient(self.mongo_url, serverSelectionTimeoutMS=2_000, tz_aware=True)

    async def start_mongod(self) -> None:
        child, _ = await start_mongod(self.folder, self.mongo_port, TEST_COMMANDS)
        self.children["mongod"] = child
        await asyncio.to_thread(self._restore_transaction_limit)
        self._mongod_started_at = time.monotonic()

    async def start_valkey(self) -> None:
        child, _ = await start_valkey(self.folder, self.valkey_port)
        self.children["valkey"] = child

    async def start_api(self) -> None:
        """Start the API, and wait until it is ready."""
        self.start("api")
        await wait_until_ready(self.api_url)

    def start(self, name: str, *command: str) -> None:
        """Start a Python process, or the `ostinato` command of that name."""
        product_command = (*COMMAND, name.partition("-")[0])
        self.start_command(name, *((sys.executable, *command) if command else product_command))

    def start_command(self, name: str, *line: str) -> None:
        """Start a process with the environment of the installation."""
        log = self.folder / f"{name}.{next(self._starts)}.log"
        self.children[name] = spawn(name, line, log=log, env={**os.environ, **self.env(name)})
        self._started_at[name] = time.monotonic()

    async def kill(self, name: str) -> None:
        """Kill a process if it runs, and wait until it has ended."""
        if name in self.children:
            child = self.children.pop(name)
            child.popen.kill()
            await child.wait()

    async def stop(self, *names: str, within_s: float = STOP_S) -> None:
        """Stop processes, and log those that do not exit with 0."""
        children = [self.children.pop(name) for name in names if name in self.children]
        await asyncio.gather(*(child.stop(within_s) for child in children))
        for child in children:
            if child.exit_code != 0:
                self._log_unexpected_end(child)

    @asynccontextmanager
    async def supervision(self) -> AsyncIterator[None]:
        """Restart and log processes that end unexpectedly inside the block."""
        supervisor = asyncio.create_task(self._supervise())
        try:
            yield
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)

    async def _supervise(self) -> None:
        while True:
            for name, child in list(self.children.items()):
                if child.exit_code is None:
                    continue
                if not self._may_have_exited(name, child):
                    self._log_unexpected_end(child)
                del self.children[name]
                if name in self.supervised:
                    self.start(name)
            await asyncio.sleep(SUPERVISE_EVERY_S)

    async def wait_until_started(self) -> None:
        """Wait until all supervised processes have logged their start."""
        async with asyncio.timeout(START_S):
            while not all(_has_started(self.children.get(name)) for name in self.supervised):
                await asyncio.sleep(POLL_S)

    def leader(self) -> str | None:
        """Return the name of the leader; None if there is none or MongoDB is unavailable."""
        try:
            with self.mongo() as mongo:
                leader = mongo[DATABASE]["leaders"].find_one({}) or {"worker": ""}
                found = mongo[DATABASE]["workers"].find_one({"_id": leader["worker"]}) or {"pid": 0}
        except PyMongoError:
            return None
        pids = {child.popen.pid: name for name, child in self.children.items()}
        return pids.get(found["pid"])

    def prepare(self) -> None:
        """Create the counters: two transactions that insert the same one do not conflict."""
        with self.mongo() as mongo:
            counters = [{"_id": name, "value": 0} for name in TALLY_NAMES]
            mongo[DATABASE][TALLIES].insert_many(counters)
            mongo[DATABASE].create_collection(EFFECTS)

    def _may_have_exited(self, name: str, child: Child) -> bool:
        """Return whether MongoDB was unavailable when the process started."""
        was_unavailable = (
            "mongod" not in self.children or self._started_at[name] < self._mongod_started_at
        )
        return name in self.supervised and was_unavailable and not _has_started(child)

    def _log_unexpected_end(self, child: Child) -> None:
        self.fault_log.write(
            "died", process=child.name, ending=child.exit_description, log=child.tail()
        )

    def env(self, name: str) -> Mapping[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "OSTINATO_MONGO_URL": self.mongo_url,
            "OSTINATO_REDIS_URL": self.redis_url,
            "OSTINATO_DATABASE": DATABASE,
            "OSTINATO_FUNCTIONS": "benchmarks.chaos.ledger",
            "OSTINATO_JWT_SECRET": SECRET,
            "OSTINATO_OPERATIONS_PER_SECOND": "0",  # few users send all operations
            "OSTINATO_FAILED_TOKENS_PER_SECOND": "0",
            "OSTINATO_QUOTA_BULK_ACTIONS": "0",
            "OSTINATO_MAX_COST": "1000000",
            "OSTINATO_MAX_IDLE_CONNECTIONS_PER_ADDRESS": "10000",  # one address
            "OSTINATO_PORT": str(self.api_port),
            NOTES: str(self.folder / "notes.jsonl"),
        }

    def _restore_transaction_limit(self) -> None:
        """Restore MongoDB's default transaction limit; the embedded server has a shorter one."""
        with self.mongo() as mongo:
            mongo.admin.command(
                {"setParameter": 1, "transactionLifetimeLimitSeconds": TRANSACTION_LIMIT_S}
            )


@asynccontextmanager
async def running(installation: AnyInstallation) -> AsyncIterator[AnyInstallation]:
    """Start all processes with their data and logs in the folder; kill them at the end."""
    try:
        await installation.start_mongod()
        await installation.start_valkey()
        installation.prepare()
        for name in WORKERS:
            installation.start(name)
        await installation.start_api()
        await installation.wait_until_started()
        yield installation
    finally:
        for name in list(installation.children):
            await installation.kill(name)


def _has_started(child: Child | None) -> bool:
    if child is None or child.log is None:
        return False
    log = child.log.read_text()
    return any(message in log for message in START_MESSAGES)


async def wait_until_ready(url: str) -> None:
    """Wait until an API is ready; a busy one may answer slowly."""
    client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=START_S)
    async with client, asyncio.timeout(START_S):
        while not await _is_ready(client):
            await asyncio.sleep(POLL_S)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False
