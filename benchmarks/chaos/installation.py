"""Owns the real processes of one run: servers, API, workers; each can be killed and comes back."""

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
from benchmarks.chaos.refused import TEST_COMMANDS
from benchmarks.processes import ROOT
from ostinato.cli import COMMAND
from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.embedded.servers import start_mongod, start_valkey
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token

DATABASE: Final = "chaos"
SECRET: Final = "a-secret-of-the-torture-0123456789abcdef"  # noqa: S105 - guards nothing
USERS: Final = ("ada", "ben", "cleo")
WORKERS: Final = ("worker-0", "worker-1", "worker-2")
OURS: Final = (*WORKERS, "api")
STARTED: Final = ("worker.started", "Application startup complete")
START_S: Final = 120.0  # a slow machine gets more time
STOP_S: Final = 10.0
POLL_S: Final = 0.02
TEND_EVERY_S: Final = 0.1
LOCKED_S: Final = 60  # MongoDB's own default: how long a killed transaction may keep its locks

Mongo = MongoClient[dict[str, Any]]
Installed = TypeVar("Installed", bound="Installation")


class Marks:
    """The file that says when each fault began and ended, and what died by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, what: str, **about: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"at": time.time(), "what": what, **about}) + "\n")


@dataclass(slots=True, kw_only=True)
class Installation:
    folder: Path
    mongo_port: int = field(default_factory=free_port)
    valkey_port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    children: dict[str, Child] = field(default_factory=dict)
    """What should be running, by name."""
    _lives: "count[int]" = field(default_factory=count)
    _begun: dict[str, float] = field(default_factory=dict)
    _mongod_since: float = 0.0

    @property
    def ours(self) -> tuple[str, ...]:
        """Name the processes of ours, which are started again when they end."""
        return OURS

    @property
    def mongo_url(self) -> str:
        return f"mongodb://127.0.0.1:{self.mongo_port}/?replicaSet=ostinato"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.valkey_port}/0"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def marks(self) -> Marks:
        return Marks(self.folder / "faults.jsonl")

    def tokens(self) -> list[str]:
        """Sign a token for each user."""
        settings = Settings(jwt_secret=SecretStr(SECRET))
        return [issue_token(settings, user) for user in USERS]

    def mongo(self) -> Mongo:
        """Connect past the product; the caller closes it."""
        return MongoClient(self.mongo_url, serverSelectionTimeoutMS=2_000, tz_aware=True)

    async def start_mongod(self) -> None:
        child, _ = await start_mongod(self.folder, self.mongo_port, TEST_COMMANDS)
        self.children["mongod"] = child
        await asyncio.to_thread(self._loosen)
        self._mongod_since = time.monotonic()

    async def start_valkey(self) -> None:
        child, _ = await start_valkey(self.folder, self.valkey_port)
        self.children["valkey"] = child

    async def start_api(self) -> None:
        """Start it and wait until it can serve."""
        self.start("api")
        await serves(self.api_url)

    def start(self, name: str, *command: str) -> None:
        """Start a process by its name, or our command of that name."""
        log = self.folder / f"{name}.{next(self._lives)}.log"
        ours = (*COMMAND, name.partition("-")[0])
        line = [sys.executable, *command] if command else ours
        self.children[name] = spawn(name, line, log=log, env={**os.environ, **self.env(name)})
        self._begun[name] = time.monotonic()

    async def kill(self, name: str) -> None:
        """Send kill -9 and wait until the process is gone; not running is fine, too."""
        if name in self.children:
            child = self.children.pop(name)
            child.popen.kill()
            await child.wait()

    async def stop(self, *names: str, within_s: float = STOP_S) -> None:
        """Ask processes to end in good order; say which do not."""
        children = [self.children.pop(name) for name in names if name in self.children]
        await asyncio.gather(*(child.stop(within_s) for child in children))
        for child in children:
            if child.exit_code != 0:
                self._note_death(child)

    @asynccontextmanager
    async def tended(self) -> AsyncIterator[None]:
        """Start again what ends by itself meanwhile, and say so."""
        tending = asyncio.create_task(self._tend())
        try:
            yield
        finally:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)

    async def _tend(self) -> None:
        while True:
            for name, child in list(self.children.items()):
                if child.exit_code is None:
                    continue
                if not self._may_have_ended(name, child):
                    self._note_death(child)
                del self.children[name]
                if name in self.ours:
                    self.start(name)
            await asyncio.sleep(TEND_EVERY_S)

    async def is_whole(self) -> None:
        """Wait until all processes of ours have said that they are there."""
        async with asyncio.timeout(START_S):
            while not all(_has_started(self.children.get(name)) for name in self.ours):
                await asyncio.sleep(POLL_S)

    def leader(self) -> str | None:
        """Name the worker that leads; None if there is none, or MongoDB does not say."""
        try:
            with self.mongo() as mongo:
                led = mongo[DATABASE]["leaders"].find_one({}) or {"worker": ""}
                found = mongo[DATABASE]["workers"].find_one({"_id": led["worker"]}) or {"pid": 0}
        except PyMongoError:
            return None
        pids = {child.popen.pid: name for name, child in self.children.items()}
        return pids.get(found["pid"])

    def prepare(self) -> None:
        """Make the counters: two transactions that make the same one would not be a conflict."""
        with self.mongo() as mongo:
            counters = [{"_id": name, "value": 0} for name in TALLY_NAMES]
            mongo[DATABASE][TALLIES].insert_many(counters)
            mongo[DATABASE].create_collection(EFFECTS)

    def _may_have_ended(self, name: str, child: Child) -> bool:
        """A process of ours refuses to start without MongoDB; a supervisor tries again."""
        is_away = "mongod" not in self.children or self._begun[name] < self._mongod_since
        return name in self.ours and is_away and not _has_started(child)

    def _note_death(self, child: Child) -> None:
        self.marks.note("died", process=child.name, ending=child.exit_description, log=child.tail())

    def env(self, name: str) -> Mapping[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "OSTINATO_MONGO_URL": self.mongo_url,
            "OSTINATO_REDIS_URL": self.redis_url,
            "OSTINATO_DATABASE": DATABASE,
            "OSTINATO_FUNCTIONS": "benchmarks.chaos.ledger",
            "OSTINATO_JWT_SECRET": SECRET,
            "OSTINATO_PORT": str(self.api_port),
            NOTES: str(self.folder / "notes.jsonl"),
        }

    def _loosen(self) -> None:
        """Give the server its usual patience with transactions, in place of our short one."""
        with self.mongo() as mongo:
            mongo.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": LOCKED_S})


@asynccontextmanager
async def installed(installation: Installed) -> AsyncIterator[Installed]:
    """Start everything, with its data and logs in its folder; kill what is left at the end."""
    try:
        await installation.start_mongod()
        await installation.start_valkey()
        installation.prepare()
        for name in WORKERS:
            installation.start(name)
        await installation.start_api()
        await installation.is_whole()
        yield installation
    finally:
        for name in list(installation.children):
            await installation.kill(name)


def _has_started(child: Child | None) -> bool:
    if child is None or child.log is None:
        return False
    log = child.log.read_text()
    return any(word in log for word in STARTED)


async def serves(url: str) -> None:
    """Wait until an API says that it is ready; one that is busy may take its time to say so."""
    client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=START_S)
    async with client, asyncio.timeout(START_S):
        while not await _answers(client):
            await asyncio.sleep(POLL_S)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False
