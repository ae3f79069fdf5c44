"""Enqueues jobs with Ostinato's engine, as an API process does; the worker is the product's."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Final

from benchmarks.peers import program
from ostinato.cli import COMMAND
from ostinato.jobs.engine import Engine
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind, Json
from ostinato.jobs.settings import Settings

CHUNK_SIZE: Final = 2_000
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
            owner="bench",
            cause=CAUSE,
            scheduled_time=due,
        )
        await self._engine.schedule(new)

    def _new(self, n: int, now: datetime) -> NewJob:
        return NewJob(
            function=self._function, args={"n": n}, owner="bench", cause=CAUSE, scheduled_time=now
        )


async def produce(use: program.Enqueue) -> dict[str, float]:
    async with Engine.open(Settings()) as engine:
        return await use(Producer(engine, os.environ.get("BENCH_FUNCTION", "noop.act")))


def work() -> None:
    """Replace this process with a worker, started as an operator would start it."""
    os.execv(sys.executable, [*COMMAND, "worker"])


if __name__ == "__main__":
    program.run(produce, work)
