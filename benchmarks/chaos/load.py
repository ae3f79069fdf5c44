"""The client process: asks the API for job after job until SIGTERM, and logs every operation.

Reads what to do as JSON from its first argument. At its end the crons that it registered are
paused, so that nothing is left to come.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from benchmarks.chaos.calls import TIMEOUT_S, Api
from benchmarks.chaos.operations import Answer, Answered, Kind, OperationLog, Request
from benchmarks.chaos.plan import Plan
from benchmarks.chaos.promises import CRONS
from ostinato.jobs.records import Json, JsonObject

LANES: Final = 24
ENOUGH_PENDING: Final = 1_000  # a client asks no faster than the workers work
FEW_PENDING: Final = 200
LOOK_EVERY_S: Final = 0.25
PAUSE_S: Final = 0.5  # when the API is away
CRONS_WITHIN_S: Final = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the client process is told."""

    url: str
    tokens: list[str]
    """One for each user."""
    seed: int
    log: str
    """The file of the operation log."""
    mongo_url: str
    database: str
    at_once: int
    """Most requests in one call."""


class Load:
    def __init__(self, orders: Orders, client: httpx.AsyncClient, log: OperationLog) -> None:
        self._apis = [Api(client, token) for token in orders.tokens]
        self._seed = orders.seed
        self._at_once = orders.at_once
        self._log = log
        self._crons: list[str] = []
        self.stopped = asyncio.Event()
        self.room = asyncio.Event()

    async def run(self) -> None:
        for name, cadence in CRONS.items():
            await self._register_cron(name, cadence.input)
        async with asyncio.TaskGroup() as lanes:
            for number in range(LANES):
                lanes.create_task(self._lane(number))
        async with asyncio.timeout(CRONS_WITHIN_S):
            for cron_id in self._crons:
                await self._ask_until_ok(Request(Kind.PAUSE_CRON, {"cronId": cron_id}))

    async def _lane(self, number: int) -> None:
        random = Random(f"{self._seed}-{number}")  # noqa: S311 - no secret
        plan = Plan(str(number), random, self._at_once)
        api = self._apis[number % len(self._apis)]
        while not self.stopped.is_set():
            await self.room.wait()
            requests = plan.next(time.monotonic())
            answers = await self._ask(api, requests)
            for request, answer in zip(requests, answers, strict=True):
                plan.learn(request, answer, time.monotonic())
            if all(answer.answered is not Answered.OK for answer in answers):
                await asyncio.sleep(PAUSE_S)

    async def _register_cron(self, name: str, schedule: Mapping[str, Json]) -> None:
        given: JsonObject = {"name": name, "functionName": "ledger.tick", "args": {"mark": name}}
        request = Request(Kind.REGISTER_CRON, {**given, **schedule})
        self._crons.append(str((await self._ask_until_ok(request)).value["registered"]))

    async def _ask_until_ok(self, request: Request) -> Answer:
        while True:
            (answer,) = await self._ask(self._apis[0], [request])
            if answer.answered is Answered.OK:
                return answer
            await asyncio.sleep(PAUSE_S)

    async def _ask(self, api: Api, requests: Sequence[Request]) -> list[Answer]:
        numbers = [self._log.invoke(request) for request in requests]
        answers = await api.call(requests)
        for number, answer in zip(numbers, answers, strict=True):
            self._log.end(number, answer)
        return answers


async def keep_pace(orders: Orders, load: Load) -> None:
    """Let the lanes wait from when enough jobs do until few do.

    In waves, because workers take more at once then: fewer commands and commits a job.
    """
    with MongoClient[dict[str, Any]](orders.mongo_url, serverSelectionTimeoutMS=1_000) as mongo:
        jobs = mongo[orders.database]["jobs"]

        def pending() -> int:
            return jobs.count_documents({"state": "pending"}, limit=ENOUGH_PENDING)

        while not load.stopped.is_set():
            try:
                bound = ENOUGH_PENDING if load.room.is_set() else FEW_PENDING
                has_room = await asyncio.to_thread(pending) < bound
            except PyMongoError:
                has_room = True  # that MongoDB is away is no reason to spare the API
            if has_room:
                load.room.set()
            else:
                load.room.clear()
            await asyncio.sleep(LOOK_EVERY_S)
    load.room.set()


async def main(orders: Orders) -> None:
    log = OperationLog(Path(orders.log))
    limits = httpx.Limits(max_connections=LANES)
    async with httpx.AsyncClient(
        base_url=orders.url, timeout=TIMEOUT_S, limits=limits, trust_env=False
    ) as client:
        load = Load(orders, client, log)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stopped.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_pace(orders, load))
            tasks.create_task(load.run())
    log.close()


if __name__ == "__main__":
    asyncio.run(main(Orders(**json.loads(sys.argv[1]))))
