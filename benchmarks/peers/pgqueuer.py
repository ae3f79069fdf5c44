"""Runs PgQueuer on PostgreSQL: batches of 50, up to 100 jobs at once."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg  # type: ignore[import-not-found]  # only in the peers' environment
import uvloop
from pgqueuer import PgQueuer  # type: ignore[import-not-found]  # only in the peers' environment
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found]  # only there
from pgqueuer.queries import Queries  # type: ignore[import-not-found]  # only there

from benchmarks.peers import program
from benchmarks.peers.marks import hold, note_lateness, note_start

CONCURRENCY = 100
BATCH_SIZE = 50  # the largest that 100 jobs at once allow
CHUNK_SIZE = 1_000


class Producer:
    def __init__(self, queries: Any) -> None:
        self._queries = queries

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CHUNK_SIZE):
            payloads = [str(n).encode() for n in range(start, min(start + CHUNK_SIZE, jobs))]
            names, priorities = ["act"] * len(payloads), [0] * len(payloads)
            await self._queries.enqueue(names, payloads, priorities)

    async def plan(self, due_s: float) -> None:
        after = timedelta(seconds=due_s - time.time())
        await self._queries.enqueue("timed", str(due_s).encode(), execute_after=after)

    async def hold(self, jobs: int) -> None:
        payloads = [str(n).encode() for n in range(jobs)]
        await self._queries.enqueue(["held"] * jobs, payloads, [0] * jobs)


@asynccontextmanager
async def _connected() -> AsyncIterator[Any]:
    """Open a connection of its own, as the documentation advises for a worker."""
    connection = await asyncpg.connect(os.environ["BENCH_URL"])
    try:
        yield AsyncpgDriver(connection)
    finally:
        await connection.close()


async def produce(use: program.Enqueue) -> dict[str, float]:
    async with _connected() as driver:
        queries = Queries(driver)
        if not await queries.has_table("pgqueuer"):
            await queries.install()
            await queries.optimize_autovacuum()
        return await use(Producer(queries))


async def _work() -> None:
    async with _connected() as driver:
        worker = PgQueuer(driver)

        @worker.entrypoint("act")  # type: ignore[untyped-decorator]  # only there
        async def act(job: Any) -> None:
            note_start()

        @worker.entrypoint("timed")  # type: ignore[untyped-decorator]  # only there
        async def timed(job: Any) -> None:
            note_lateness(float(job.payload))

        @worker.entrypoint("held")  # type: ignore[untyped-decorator]  # only there
        async def held(job: Any) -> None:
            await hold(int(job.payload))

        stop = worker.shutdown.set
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        await worker.run(batch_size=BATCH_SIZE, max_concurrent_tasks=CONCURRENCY)


def work() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work())


if __name__ == "__main__":
    program.run(produce, work)
