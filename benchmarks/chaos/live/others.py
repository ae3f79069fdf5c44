"""The process that makes and ends what is no job: crons, recurring tasks, requests, batches.

Reads what to do as JSON from its first argument. On SIGTERM it stops what would go on for ever.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Final

import httpx

PAUSE_S: Final = 0.8
BATCH_ITEMS: Final = 25
MOST: Final = 2
"""Crons, and tasks, of one user at a time."""
TIMEOUT_S: Final = 20.0
ENDS_WITHIN_S: Final = 40.0

REGISTER: Final = "registerCron(input: $input) { cronId }", "RegisterCronInput!"
START: Final = "startRecurringTask(input: $input) { taskId }", "StartRecurringTaskInput!"
STOP: Final = "stopRecurringTask(input: $input) { taskId }", "TaskIdInput!"
REQUEST: Final = "createWithTimeout(input: $input) { requestId }", "CreateWithTimeoutInput!"
ADD: Final = "addItems(input: $input) { added }", "AddItemsInput!"
BATCH: Final = "startBatch(input: $input) { batchId }", "StartBatchInput!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the process is told."""

    ports: list[int]
    tokens: list[str]
    seed: int


class Owner:
    """One user who has crons, tasks, requests and batches."""

    def __init__(self, client: httpx.AsyncClient, orders: Orders, number: int) -> None:
        self._client = client
        self._urls = [f"http://127.0.0.1:{port}/graphql" for port in orders.ports]
        self._headers = {"Authorization": f"Bearer {orders.tokens[number]}"}
        self._random = Random(f"{orders.seed}-{number}")  # noqa: S311 - no secret
        self._numbers = count()
        self._crons: list[str] = []
        self._tasks: set[str] = set()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        """Do one thing after another, then stop what goes on."""
        ways = (self._cron, self._task, self._request, self._request, self._batch)
        while not self.stopped.is_set():
            await self._random.choice(ways)()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0, 2 * PAUSE_S)):
                    await self.stopped.wait()
        async with asyncio.timeout(ENDS_WITHIN_S):
            await self._end()

    async def _cron(self) -> None:
        if len(self._crons) < MOST:
            interval_ms = self._random.randint(1_000, 4_000)
            given = {"name": f"other {next(self._numbers)}", "intervalMs": interval_ms}
            if made := await self._ask(*REGISTER, given):
                self._crons.append(made["cronId"])
            return
        way = self._random.choice(["pauseCron", "resumeCron", "deleteCron"])
        cron_id = self._random.choice(self._crons)
        if await self._of_cron(way, cron_id) and way == "deleteCron":
            self._crons.remove(cron_id)

    async def _task(self) -> None:
        task_id = f"task {self._random.randrange(MOST)}"
        if task_id in self._tasks and self._random.random() < 0.5:
            if await self._ask(*STOP, {"taskId": task_id}):
                self._tasks.discard(task_id)
            return
        self._tasks.add(task_id)  # it may run even if there is no answer
        given = {"taskId": task_id, "intervalMs": self._random.randint(1_000, 3_000)}
        await self._ask(*START, {**given, "args": {"name": task_id}})

    async def _request(self) -> None:
        delay_ms = self._random.randint(0, 2_000)
        data = {"delayMs": delay_ms}
        await self._ask(*REQUEST, {"data": data, "timeoutMs": self._random.randint(200, 3_000)})

    async def _batch(self) -> None:
        items = [{"number": number} for number in range(BATCH_ITEMS)]
        await self._ask(*ADD, {"items": items})
        size = self._random.randint(2, BATCH_ITEMS)
        await self._ask(*BATCH, {"batchSize": size, "delayMs": self._random.randint(0, 500)})

    async def _end(self) -> None:
        """Stop all tasks, delete all crons: also those of which nobody heard."""
        for cron_id in await self._all_crons():
            while not await self._of_cron("pauseCron", cron_id):
                await asyncio.sleep(PAUSE_S)
        for task_id in await self._all_tasks():
            while not await self._ask(*STOP, {"taskId": task_id}):
                await asyncio.sleep(PAUSE_S)

    async def _all_crons(self) -> Sequence[str]:
        nodes = await self._all("crons", "id name")
        return [node["id"] for node in nodes if node["name"].startswith("other")]

    async def _all_tasks(self) -> Sequence[str]:
        nodes = await self._all("recurringTasks", "taskId enabled")
        return [node["taskId"] for node in nodes if node["enabled"]]

    async def _all(self, field: str, selection: str) -> list[dict[str, Any]]:
        query = f"query {{ {field}(first: 100) {{ edges {{ node {{ {selection} }} }} }} }}"
        while not (found := await self._post({"query": query})):
            await asyncio.sleep(PAUSE_S)
        return [edge["node"] for edge in found[field]["edges"]]

    async def _of_cron(self, way: str, cron_id: str) -> Any:
        given = {"cronId": cron_id}
        return await self._ask(f"{way}(input: $input) {{ cronId }}", "CronIdInput!", given)

    async def _ask(self, field: str, type_: str, given: dict[str, Any]) -> Any:
        """Call a mutation; None if it did not answer well."""
        query = f"mutation ($input: {type_}) {{ {field} }}"
        data = await self._post({"query": query, "variables": {"input": given}})
        return next(iter(data.values())) if data else None

    async def _post(self, body: dict[str, Any]) -> dict[str, Any] | None:
        url = self._random.choice(self._urls)
        try:
            response = await self._client.post(url, json=body, headers=self._headers)
            found: dict[str, Any] | None = response.json().get("data")
        except (httpx.TransportError, ValueError):
            return None
        return found if found and all(each is not None for each in found.values()) else None


async def main(orders: Orders) -> None:
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        owners = [Owner(client, orders, number) for number in range(len(orders.tokens))]

        def stop() -> None:
            for owner in owners:
                owner.stopped.set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        async with asyncio.TaskGroup() as tasks:
            for owner in owners:
                tasks.create_task(owner.run())


if __name__ == "__main__":
    asyncio.run(main(Orders(**json.loads(sys.argv[1]))))
