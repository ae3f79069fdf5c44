"""Runs Oban for Python on PostgreSQL: one queue, up to 100 jobs at once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvloop
from oban import Oban, worker  # type: ignore[import-not-found]  # only in its own environment
from oban.schema import install  # type: ignore[import-not-found]  # only in its own environment

from benchmarks.peers import program
from benchmarks.peers.marks import hold, note_lateness, note_start

CONCURRENCY = 100
CHUNK_SIZE = 1_000
STAGE_S = 0.05  # how often scheduled jobs become available; the default is 1 s
IS_INSTALLED = "SELECT to_regclass('oban_jobs')"


@worker()
class Act:
    async def process(self, job: Any) -> None:
        note_start()


@worker()
class Timed:
    async def process(self, job: Any) -> None:
        note_lateness(job.args["due_s"])


@worker()
class Held:
    async def process(self, job: Any) -> None:
        await hold(job.args["n"])


class Producer:
    def __init__(self, oban: Any) -> None:
        self._oban = oban

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CHUNK_SIZE):
            numbers = range(start, min(start + CHUNK_SIZE, jobs))
            await self._oban.enqueue_many(Act.new({"n": n}) for n in numbers)  # type: ignore[attr-defined]  # the decorator adds it

    async def plan(self, due_s: float) -> None:
        due = datetime.fromtimestamp(due_s, UTC)
        await self._oban.enqueue(Timed.new({"due_s": due_s}, scheduled_at=due))  # type: ignore[attr-defined]  # the decorator adds it

    async def hold(self, jobs: int) -> None:
        await self._oban.enqueue_many(Held.new({"n": n}) for n in range(jobs))  # type: ignore[attr-defined]  # the decorator adds it


@asynccontextmanager
async def _pool() -> AsyncIterator[Any]:
    pool = await Oban.create_pool(os.environ["BENCH_URL"])
    try:
        yield pool
    finally:
        await pool.close()


async def produce(use: program.Enqueue) -> dict[str, float]:
    async with _pool() as pool:
        async with pool.connection() as connection:
            (installed,) = await (await connection.execute(IS_INSTALLED)).fetchone()
        if installed is None:
            await install(pool)
        async with Oban(pool=pool) as oban:
            return await use(Producer(oban))


async def _work() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with (
        _pool() as pool,
        Oban(pool=pool, queues={"default": CONCURRENCY}, stager={"interval": STAGE_S}),
    ):
        await stopping.wait()


def work() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work())


if __name__ == "__main__":
    program.run(produce, work)
