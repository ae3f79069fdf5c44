"""Runs SAQ with 100 concurrent jobs."""

import asyncio
import os
from typing import Any

import saq  # type: ignore[import-not-found]  # only in the peers' environment
import uvloop

from benchmarks.peers import program
from benchmarks.peers.marks import note_start

CONCURRENCY = 100
CHUNK_SIZE = 500


async def act(ctx: dict[str, Any], *, n: int) -> dict[str, int]:
    note_start()
    return {"n": n}


class Producer:
    def __init__(self, queue: Any) -> None:
        self._queue = queue

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CHUNK_SIZE):
            numbers = range(start, min(start + CHUNK_SIZE, jobs))
            await asyncio.gather(*(self._queue.enqueue("act", n=n) for n in numbers))

    async def plan(self, due_s: float) -> None:
        raise RuntimeError("SAQ's latency is not measured: it plans in whole seconds")

    async def hold(self, jobs: int) -> None:
        raise RuntimeError("not measured: SAQ by default fails the jobs of a killed worker")


async def produce(use: program.Enqueue) -> dict[str, float]:
    queue = _queue()
    try:
        return await use(Producer(queue))
    finally:
        await queue.disconnect()


def work() -> None:
    async def start() -> None:
        await saq.Worker(_queue(), [("act", act)], concurrency=CONCURRENCY).start()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start())


def _queue() -> Any:
    return saq.Queue.from_url(os.environ["BENCH_URL"], max_concurrent_ops=CONCURRENCY)


if __name__ == "__main__":
    program.run(produce, work)
