"""The process that starts and changes crons, recurring tasks, requests and batches.

Its first argument is its configuration as JSON. It writes the answers to requests that the API has
acknowledged. On SIGTERM it stops crons and recurring tasks, and resumes batches.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

PAUSE_S: Final = 0.8
BATCH_ITEMS: Final = 25
MAX_PER_USER: Final = 2
"""The maximum of crons, and of tasks, of one user at a time."""
TIMEOUT_S: Final = 20.0
ENDS_WITHIN_S: Final = 40.0

REGISTER: Final = "registerCron(input: $input) { cronId }", "RegisterCronInput!"
START: Final = "startRecurringTask(input: $input) { taskId }", "StartRecurringTaskInput!"
STOP: Final = "stopRecurringTask(input: $input) { taskId }", "TaskIdInput!"
REQUEST: Final = "createWithTimeout(input: $input) { requestId }", "CreateWithTimeoutInput!"
ADD: Final = "addItems(input: $input) { added }", "AddItemsInput!"
BATCH: Final = "startBatch(input: $input) { batchId }", "StartBatchInput!"
ANSWER: Final = (
    "completeRequest(input: $input) { request { state result lateAnswer { result } } }",
    "CompleteRequestInput!",
)
CHANGE_TASK: Final = "updateRecurringTask(input: $input) { taskId }", "UpdateRecurringTaskInput!"
UPDATE: Final = "updateBatch(input: $input) { batchId }", "UpdateBatchInput!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of the process."""

    ports: list[int]
    tokens: list[str]
    seed: int
    answers: str
    """The file of the acknowledged answers."""


class Owner:
    """A user with crons, tasks, requests and batches."""

    def __init__(self, client: httpx.AsyncClient, config: Config, number: int) -> None:
        self._client = client
        self._urls = [f"http://127.0.0.1:{port}/graphql" for port in config.ports]
        self._headers = {"Authorization": f"Bearer {config.tokens[number]}"}
        self._random = Random(f"{config.seed}-{number}")  # noqa: S311 - no secret
        self._numbers = count()
        self._crons: list[str] = []
        self._tasks: set[str] = set()
        self._batches: list[str] = []
        self._answers = Path(config.answers)
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        """Run random operations until stopped, then stop all crons and tasks."""
        operations = (
            *(self._cron, self._task, self._request, self._request, self._batch),
            *(self._question, self._question, self._change_batch, self._change_batch),
        )
        while not self.stopped.is_set():
            await self._random.choice(operations)()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0, 2 * PAUSE_S)):
                    await self.stopped.wait()
        async with asyncio.timeout(ENDS_WITHIN_S):
            await self._stop_all()

    async def _cron(self) -> None:
        if len(self._crons) < MAX_PER_USER:
            interval_ms = self._random.randint(1_000, 4_000)
            input_ = {"name": f"other {next(self._numbers)}", "intervalMs": interval_ms}
            if created := await self._mutate(*REGISTER, input_):
                self._crons.append(created["cronId"])
            return
        operation = self._random.choice(["pauseCron", "resumeCron", "deleteCron"])
        cron_id = self._random.choice(self._crons)
        if await self._call_cron(operation, cron_id) and operation == "deleteCron":
            self._crons.remove(cron_id)

    async def _task(self) -> None:
        task_id = f"task {self._random.randrange(MAX_PER_USER)}"
        if task_id in self._tasks and self._random.random() < 0.5:
            if await self._mutate(*STOP, {"taskId": task_id}):
                self._tasks.discard(task_id)
            return
        if task_id in self._tasks and self._random.random() < 0.5:
            changes = {"taskId": task_id, "intervalMs": self._random.randint(1_000, 3_000)}
            await self._mutate(*CHANGE_TASK, changes)
            return
        self._tasks.add(task_id)  # it may run even without an answer
        input_ = {"taskId": task_id, "intervalMs": self._random.randint(1_000, 3_000)}
        await self._mutate(*START, {**input_, "args": {"name": task_id}})

    async def _request(self) -> None:
        delay_ms = self._random.randint(0, 2_000)
        data = {"delayMs": delay_ms}
        await self._mutate(*REQUEST, {"data": data, "timeoutMs": self._random.randint(200, 3_000)})

    async def _question(self) -> None:
        """Ask, and answer about when the request times out."""
        timeout_ms = self._random.randint(200, 1_500)
        input_ = {"data": "?", "timeoutMs": timeout_ms, "runHandler": False}
        if not (asked := await self._mutate(*REQUEST, input_)):
            return
        await asyncio.sleep(timeout_ms / 1_000 * self._random.uniform(0.5, 1.1))
        answer = {"requestId": asked["requestId"], "result": next(self._numbers)}
        if answered := await self._mutate(*ANSWER, answer):
            line = json.dumps({**answer, **answered["request"]})
            with self._answers.open("a") as file:
                file.write(f"{line}\n")

    async def _change_batch(self) -> None:
        """Pause, resume or change one of the newest batches, which may have ended."""
        if not self._batches:
            return
        batch_id = self._random.choice(self._batches[-MAX_PER_USER:])
        operation = self._random.choice(["pauseBatch", "resumeBatch", "updateBatch"])
        if operation == "updateBatch":
            size, delay_ms = self._random.randint(2, BATCH_ITEMS), self._random.randint(0, 500)
            input_ = {"batchId": batch_id, "batchSize": size, "delayMs": delay_ms}
            await self._mutate(*UPDATE, input_)
            return
        await self._call_batch(operation, batch_id)

    async def _batch(self) -> None:
        items = [{"number": number} for number in range(BATCH_ITEMS)]
        await self._mutate(*ADD, {"items": items})
        size = self._random.randint(2, BATCH_ITEMS)
        input_ = {"batchSize": size, "delayMs": self._random.randint(0, 500)}
        if started := await self._mutate(*BATCH, input_):
            self._batches.append(started["batchId"])

    async def _stop_all(self) -> None:
        """Pause all crons and stop all tasks, also those whose start was not acknowledged.

        Resume all batches, so that they end.
        """
        for cron_id in await self._all_crons():
            while not await self._call_cron("pauseCron", cron_id):
                await asyncio.sleep(PAUSE_S)
        for task_id in await self._all_tasks():
            while not await self._mutate(*STOP, {"taskId": task_id}):
                await asyncio.sleep(PAUSE_S)

        for batch_id in await self._paused_batches():
            while not await self._call_batch("resumeBatch", batch_id):
                await asyncio.sleep(PAUSE_S)

    async def _paused_batches(self) -> Sequence[str]:
        nodes = await self._all("batches", "id state")
        return [node["id"] for node in nodes if node["state"] == "PAUSED"]

    async def _call_batch(self, operation: str, batch_id: str) -> Any:
        field = f"{operation}(input: $input) {{ batchId }}"
        return await self._mutate(field, "BatchIdInput!", {"batchId": batch_id})

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

    async def _call_cron(self, operation: str, cron_id: str) -> Any:
        input_ = {"cronId": cron_id}
        return await self._mutate(
            f"{operation}(input: $input) {{ cronId }}", "CronIdInput!", input_
        )

    async def _mutate(self, field: str, type_: str, input_: dict[str, Any]) -> Any:
        """Call a mutation; return None if it fails."""
        query = f"mutation ($input: {type_}) {{ {field} }}"
        data = await self._post({"query": query, "variables": {"input": input_}})
        return next(iter(data.values())) if data else None

    async def _post(self, body: dict[str, Any]) -> dict[str, Any] | None:
        url = self._random.choice(self._urls)
        try:
            response = await self._client.post(url, json=body, headers=self._headers)
            found: dict[str, Any] | None = response.json().get("data")
        except (httpx.TransportError, ValueError):
            return None
        return found if found and all(value is not None for value in found.values()) else None


async def main(config: Config) -> None:
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        owners = [Owner(client, config, number) for number in range(len(config.tokens))]

        def stop() -> None:
            for owner in owners:
                owner.stopped.set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        async with asyncio.TaskGroup() as tasks:
            for owner in owners:
                tasks.create_task(owner.run())


if __name__ == "__main__":
    asyncio.run(main(Config(**json.loads(sys.argv[1]))))
