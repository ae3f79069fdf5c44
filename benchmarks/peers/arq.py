"""Runs arq, with default settings or tuned (BENCH_TUNED)."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

import uvloop
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, func

from benchmarks.peers import program
from benchmarks.peers.marks import hold, note_lateness, note_start

CHUNK_SIZE = 500
TUNED: dict[str, Any] = {"max_jobs": 100, "poll_delay": 0.01, "keep_result": 0}


async def act(ctx: dict[str, Any], n: int) -> dict[str, int]:
    note_start()
    return {"n": n}


async def timed(ctx: dict[str, Any], due_s: float) -> None:
    note_lateness(due_s)


async def held(ctx: dict[str, Any], n: int) -> None:
    await hold(n)


class Producer:
    def __init__(self, pool: ArqRedis) -> None:
        self._pool = pool

    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CHUNK_SIZE):
            numbers = range(start, min(start + CHUNK_SIZE, jobs))
            await asyncio.gather(*(self._pool.enqueue_job("act", n) for n in numbers))

    async def plan(self, due_s: float) -> None:
        until = datetime.fromtimestamp(due_s, UTC)
        await self._pool.enqueue_job("timed", due_s, _defer_until=until)

    async def hold(self, jobs: int) -> None:
        for n in range(jobs):
            await self._pool.enqueue_job("held", n)


async def produce(use: program.Enqueue) -> dict[str, float]:
    pool = await create_pool(_servers())
    try:
        return await use(Producer(pool))
    finally:
        await pool.aclose(close_connection_pool=True)


def work() -> None:
    tuned = "BENCH_TUNED" in os.environ
    loop = uvloop.new_event_loop() if tuned else asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    functions = [func(act, name="act"), func(timed, name="timed"), func(held, name="held")]
    Worker(functions, redis_settings=_servers(), **(TUNED if tuned else {})).run()


def _servers() -> RedisSettings:
    return RedisSettings.from_dsn(os.environ["BENCH_URL"])


if __name__ == "__main__":
    program.run(produce, work)
