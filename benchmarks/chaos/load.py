"""The client process: schedules jobs until SIGTERM, and logs every operation.

Its first argument is its configuration as JSON. At the end it pauses the crons that it
registered, so that all work ends.
"""

import asyncio
import json
import os
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
from benchmarks.chaos.cron_load import PAUSE_S as CRON_PAUSE_S
from benchmarks.chaos.cron_load import CronPlan, utc_now
from benchmarks.chaos.expectations import CHANGED, CRONS
from benchmarks.chaos.operations import Answer, Kind, OperationLog, Outcome, Request
from benchmarks.chaos.plan import Plan
from ostinato.jobs.records import Json, JsonObject

LANES: Final = 24
MAX_PENDING: Final = 1_000  # clients stop when the workers are slower
MIN_PENDING: Final = 200
POLL_S: Final = 0.25
PAUSE_S: Final = 0.5  # when the API is unavailable
PAUSE_CRONS_WITHIN_S: Final = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of the client process."""

    url: str
    tokens: list[str]
    """A token for each user."""
    seed: int
    log: str
    """The path of the operation log."""
    database: str
    max_requests: int
    """The maximum number of requests in one call."""


class Load:
    def __init__(self, config: Config, client: httpx.AsyncClient, log: OperationLog) -> None:
        self._apis = [Api(client, token) for token in config.tokens]
        self._seed = config.seed
        self._max_requests = config.max_requests
        self._log = log
        self._crons: list[str] = []
        self.stopped = asyncio.Event()
        self.may_send = asyncio.Event()

    async def run(self) -> None:
        for name, cadence in CRONS.items():
            await self._register_cron(name, cadence.input)
        plan = CronPlan(self._crons[list(CRONS).index(CHANGED)], self._random("crons"))
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._change_crons(plan))
            for number in range(LANES):
                lanes.create_task(self._lane(number))
        async with asyncio.timeout(PAUSE_CRONS_WITHIN_S):
            for request in plan.last():
                await self._call_until_ok(request)
            for cron_id in self._crons:
                await self._call_until_ok(Request(Kind.PAUSE_CRON, {"cronId": cron_id}))

    def _random(self, name: object) -> Random:
        return Random(f"{self._seed}-{name}")  # noqa: S311 - no secret

    async def _change_crons(self, plan: CronPlan) -> None:
        random = self._random("pauses")
        while not self.stopped.is_set():
            request = plan.next(utc_now())
            (answer,) = await self._call(self._apis[0], [request])
            plan.on_answer(request, answer)
            await asyncio.sleep(random.uniform(0, 2) * CRON_PAUSE_S)

    async def _lane(self, number: int) -> None:
        plan = Plan(str(number), self._random(number), self._max_requests)
        api = self._apis[number % len(self._apis)]
        while not self.stopped.is_set():
            await self.may_send.wait()
            requests = plan.next(time.monotonic())
            answers = await self._call(api, requests)
            for request, answer in zip(requests, answers, strict=True):
                plan.on_answer(request, answer, time.monotonic())
            if all(answer.outcome is not Outcome.OK for answer in answers):
                await asyncio.sleep(PAUSE_S)

    async def _register_cron(self, name: str, schedule: Mapping[str, Json]) -> None:
        input_: JsonObject = {"name": name, "functionName": "ledger.tick", "args": {"mark": name}}
        request = Request(Kind.REGISTER_CRON, {**input_, **schedule})
        self._crons.append(str((await self._call_until_ok(request)).value["registered"]))

    async def _call_until_ok(self, request: Request) -> Answer:
        while True:
            (answer,) = await self._call(self._apis[0], [request])
            if answer.outcome is Outcome.OK:
                return answer
            await asyncio.sleep(PAUSE_S)

    async def _call(self, api: Api, requests: Sequence[Request]) -> list[Answer]:
        numbers = [self._log.invoke(request) for request in requests]
        answers = await api.call(requests)
        for number, answer in zip(numbers, answers, strict=True):
            self._log.end(number, answer)
        return answers


async def limit_pending(config: Config, load: Load) -> None:
    """Pause the lanes while many jobs are pending, until only a few are.

    Workers then claim larger batches, which takes fewer commands and commits per job.
    """
    # The URL has a password: it must not be on the command line.
    url = os.environ["OSTINATO_MONGO_URL"]
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=1_000) as mongo:
        jobs = mongo[config.database]["jobs"]

        def pending() -> int:
            return jobs.count_documents({"state": "pending"}, limit=MAX_PENDING)

        while not load.stopped.is_set():
            try:
                bound = MAX_PENDING if load.may_send.is_set() else MIN_PENDING
                may_send = await asyncio.to_thread(pending) < bound
            except PyMongoError:
                may_send = True  # continue while MongoDB is unavailable
            if may_send:
                load.may_send.set()
            else:
                load.may_send.clear()
            await asyncio.sleep(POLL_S)
    load.may_send.set()


async def main(config: Config) -> None:
    log = OperationLog(Path(config.log))
    limits = httpx.Limits(max_connections=LANES)
    async with httpx.AsyncClient(
        base_url=config.url, timeout=TIMEOUT_S, limits=limits, trust_env=False
    ) as client:
        load = Load(config, client, log)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stopped.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(limit_pending(config, load))
            tasks.create_task(load.run())
    log.close()


if __name__ == "__main__":
    asyncio.run(main(Config(**json.loads(sys.argv[1]))))
