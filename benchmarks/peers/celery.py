"""Runs Celery on Redis: one process, with prefetching and without results."""

import os
from typing import Any

import celery  # type: ignore[import-not-found]  # only in the peers' environment

from benchmarks.peers import program
from benchmarks.peers.marks import note_start

PREFETCH = 1_000


def act(n: int) -> dict[str, int]:
    note_start()
    return {"n": n}


class Producer:
    def __init__(self, task: Any) -> None:
        self._task = task

    async def enqueue(self, jobs: int) -> None:
        for n in range(jobs):
            self._task.apply_async(args=(n,))

    async def plan(self, due_s: float) -> None:
        raise RuntimeError("Celery's latency is not measured: its ETA queue is the worker's memory")

    async def hold(self, jobs: int) -> None:
        raise RuntimeError("not measured: Celery by default loses the jobs of a killed worker")


async def produce(use: program.Enqueue) -> dict[str, float]:
    app = _app()
    return await use(Producer(app.task(act, name="act")))


def work() -> None:
    app = _app()
    app.task(act, name="act")
    app.Worker(pool="solo", concurrency=1, loglevel="WARNING", quiet=True).start()


def _app() -> Any:
    app = celery.Celery("bench", broker=os.environ["BENCH_URL"], set_as_current=True)
    app.conf.update(worker_prefetch_multiplier=PREFETCH, task_ignore_result=True)
    return app


if __name__ == "__main__":
    program.run(produce, work)
