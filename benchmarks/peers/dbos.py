"""Runs DBOS on PostgreSQL: one queue, up to 100 workflows at once."""

import asyncio
import os
import signal
import threading
import time

import sqlalchemy  # type: ignore[import-not-found]  # only in the peers' environment
from dbos import (  # type: ignore[import-not-found]  # only in the peers' environment
    DBOS,
    DBOSClient,
    DBOSConfig,
)

from benchmarks.peers import program
from benchmarks.peers.marks import hold, note_lateness, note_start

CONCURRENCY = 100
CHUNK_SIZE = 1_000  # calls in one transaction: DBOS has no call for many
POLL_S = 0.05  # how often a queue is read; the default is 1 s
QUEUE = "bench"
VERSION = "bench"  # the same for producers and workers


def _config() -> DBOSConfig:
    return DBOSConfig(
        name="bench",
        system_database_url=os.environ["BENCH_URL"],
        application_version=VERSION,
        log_level="ERROR",
    )


@DBOS.workflow(name="act")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def act(n: int) -> dict[str, int]:
    note_start()
    return {"n": n}


@DBOS.workflow(name="timed")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def timed(due_s: float) -> None:
    note_lateness(due_s)


@DBOS.workflow(name="held")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def held(n: int) -> None:
    await hold(n)


class Producer:
    def __init__(self, client: DBOSClient) -> None:
        self._client = client
        url = os.environ["BENCH_URL"].replace("postgresql:", "postgresql+psycopg:")
        self._database = sqlalchemy.create_engine(url)

    async def enqueue(self, jobs: int) -> None:
        await self._enqueue("act", jobs)

    async def plan(self, due_s: float) -> None:
        delay_s = max(0.0, due_s - time.time())
        options = {"workflow_name": "timed", "queue_name": QUEUE, "delay_seconds": delay_s}
        await self._client.enqueue_async({**options, "app_version": VERSION}, due_s)

    async def hold(self, jobs: int) -> None:
        await self._enqueue("held", jobs)

    async def _enqueue(self, name: str, jobs: int) -> None:
        await asyncio.to_thread(self._insert, name, jobs)

    def _insert(self, name: str, jobs: int) -> None:
        options = {"workflow_name": name, "queue_name": QUEUE, "app_version": VERSION}
        for start in range(0, jobs, CHUNK_SIZE):
            with self._database.begin() as transaction:
                for n in range(start, min(start + CHUNK_SIZE, jobs)):
                    self._client.enqueue_in_transaction(transaction, options, n)


async def produce(use: program.Enqueue) -> dict[str, float]:
    await asyncio.to_thread(_set_up)
    client = DBOSClient(system_database_url=os.environ["BENCH_URL"])
    try:
        return await use(Producer(client))
    finally:
        client.destroy()


def _set_up() -> None:
    """Create the tables and the queue."""
    DBOS(config=_config())
    DBOS.listen_queues([])
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_S)
    DBOS.destroy()


def work() -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    DBOS(config=_config())
    DBOS.launch()
    stopping.wait()
    DBOS.destroy()


if __name__ == "__main__":
    program.run(produce, work)
