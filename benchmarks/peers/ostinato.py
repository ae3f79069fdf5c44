"""Enqueues jobs with Ostinato's engine, as an API process does; the worker is the product's."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Final

from benchmarks.peers import program
from ostinato import Call, Ostinato
from ostinato.cli import COMMAND
from ostinato.jobs.engine import Engine
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind, Json
from ostinato.jobs.settings import Settings

CHUNK_SIZE: Final = 2_000
CALLED_AT_ONCE: Final = 1_000  # as many as `schedule_many` takes
OWNER: Final = os.environ.get("BENCH_OWNER", "bench")
CAUSE: Final = Cause(kind=CauseKind.API)


class Producer:
    def __init__(self, engine: Engine, function: str) -> None:
        self._engine = engine
        self._function = engine.registry.resolve(function)
        self._timed = engine.registry.resolve("noop.timed")

    async def enqueue(self, jobs: int) -> None:
        now = await self._engine.now()
        for start in range(0, jobs, CHUNK_SIZE):
            numbers = range(start, min(start + CHUNK_SIZE, jobs))
            await asyncio.gather(*(self._engine.schedule(self._new(n, now)) for n in numbers))

    async def plan(self, due_s: float) -> None:
        due = datetime.fromtimestamp(due_s, UTC)
        args: dict[str, Json] = {"due_s": due_s}
        new = NewJob(
            function=self._timed,
            args=self._timed.bind(args),
            owner=OWNER,
            cause=CAUSE,
            scheduled_time=due,
        )
        await self._engine.schedule(new)

    async def hold(self, jobs: int) -> None:
        held, now = self._engine.registry.resolve("noop.held"), await self._engine.now()
        for n in range(jobs):
            args: dict[str, Json] = {"n": n}
            new = NewJob(function=held, args=args, owner=OWNER, cause=CAUSE, scheduled_time=now)
            await self._engine.schedule(new)

    def _new(self, n: int, now: datetime) -> NewJob:
        return NewJob(
            function=self._function, args={"n": n}, owner=OWNER, cause=CAUSE, scheduled_time=now
        )


class BulkProducer(Producer):
    """Enqueues with the Python client's `schedule_many`."""

    def __init__(self, app: Ostinato, function: str) -> None:
        super().__init__(app.engine, function)
        self._app = app
        self._name = function

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CALLED_AT_ONCE):
            numbers = range(start, min(start + CALLED_AT_ONCE, jobs))
            calls = [Call(self._name, {"n": n}, owner=OWNER) for n in numbers]
            await self._app.schedule_many(calls)


async def produce(use: program.Enqueue) -> dict[str, float]:
    function = os.environ.get("BENCH_FUNCTION", "noop.act")
    if "BENCH_BULK" in os.environ:
        async with Ostinato(Settings()) as app:
            return await use(BulkProducer(app, function))
    async with Engine.open(Settings()) as engine:
        return await use(Producer(engine, function))


def work() -> None:
    """Replace this process with a worker, started as an operator would start it."""
    os.execv(sys.executable, [*COMMAND, "worker"])


if __name__ == "__main__":
    program.run(produce, work)
