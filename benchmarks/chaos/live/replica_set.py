"""A replica set of three members that can be killed and restarted; the primary can step down."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.embedded.servers import MONGOD_OPTIONS, REPLICA_SET, mongod_command

MEMBERS: Final = 3
ELECTION_MS: Final = 2_000  # MongoDB's 10 s would fill the run with waiting
START_S: Final = 30.0
ANSWER_MS: Final = 2_000
POLL_S: Final = 0.05
STEP_DOWN_S: Final = 5

Mongo = MongoClient[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class ReplicaSet:
    folder: Path
    options: dict[str, str] = field(default_factory=dict)
    """Options that differ from those of the embedded server."""
    ports: Sequence[int] = field(default_factory=lambda: [free_port() for _ in range(MEMBERS)])

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def start(self, number: int) -> Child:
        """Start a member."""
        data = self.folder / "mongo" / str(number)
        data.mkdir(parents=True, exist_ok=True)
        options = {**MONGOD_OPTIONS, "wiredTigerCacheSizeGB": "0.25", **self.options}
        command = mongod_command(data, self.ports[number], options)
        return spawn(f"mongod-{number}", command, log=self.folder / f"mongod-{number}.log")

    async def initiate(self) -> None:
        """Initiate the set, after its members were started for the first time."""
        members = [
            {"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(self.ports)
        ]
        settings = {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": 500}
        config = {"_id": REPLICA_SET, "members": members, "settings": settings}
        await asyncio.gather(*(self.wait_for_member(number) for number in range(len(self.ports))))
        await asyncio.to_thread(self._command, 0, {"replSetInitiate": config})
        await self.wait_for_primary()

    async def wait_for_member(self, number: int) -> None:
        """Wait until a member accepts connections."""
        async with asyncio.timeout(START_S):
            while not await asyncio.to_thread(self._hello, number):
                await asyncio.sleep(POLL_S)

    async def wait_for_primary(self) -> int:
        """Wait for a writable primary, and return its number."""
        async with asyncio.timeout(START_S):
            while (number := await asyncio.to_thread(self._primary)) is None:
                await asyncio.sleep(POLL_S)
        return number

    async def step_down(self) -> None:
        """Make the primary step down; retry while it refuses."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            number = await self.wait_for_primary()
            command = {"replSetStepDown": STEP_DOWN_S, "secondaryCatchUpPeriodSecs": 2}
            try:
                await asyncio.to_thread(self._command, number, command)
            except ConnectionFailure:
                return
            except OperationFailure:
                await asyncio.sleep(POLL_S)
            else:
                return
        raise TimeoutError("no primary could step down")

    def _primary(self) -> int | None:
        for number in range(len(self.ports)):
            if self._hello(number).get("isWritablePrimary"):
                return number
        return None

    def _hello(self, number: int) -> dict[str, Any]:
        try:
            return self._command(number, {"hello": 1})
        except PyMongoError:
            return {}

    def _command(self, number: int, command: dict[str, Any]) -> dict[str, Any]:
        client: Mongo = MongoClient(
            "127.0.0.1",
            self.ports[number],
            directConnection=True,
            serverSelectionTimeoutMS=ANSWER_MS,
            connectTimeoutMS=ANSWER_MS,
        )
        with client:
            return client.admin.command(command)
