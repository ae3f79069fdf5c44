"""Runs SAQ, 100 jobs at once."""

import asyncio
import os
from typing import Any

import saq  # type: ignore[import-not-found]  # in the peers' environment alone
import uvloop

from benchmarks.peers import program
from benchmarks.peers.marks import begun

CONCURRENCY = 100
AT_ONCE = 500


async def act(ctx: dict[str, Any], *, n: int) -> dict[str, int]:
    begun()
    return {"n": n}


class Producer:
    def __init__(self, queue: Any) -> None:
        self._queue = queue

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, jobs))
            await asyncio.gather(*(self._queue.enqueue("act", n=n) for n in numbers))

    async def plan(self, due_s: float) -> None:
        raise RuntimeError("SAQ's latency is not measured: it plans in whole seconds")


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
