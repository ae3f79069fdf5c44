"""Runs Procrastinate on PostgreSQL: up to 100 jobs at once."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

import procrastinate  # type: ignore[import-not-found]  # only in the peers' environment
import uvloop

from benchmarks.peers import program
from benchmarks.peers.marks import hold, note_lateness, note_start

CONCURRENCY = 100
CHUNK_SIZE = 1_000
FETCH_S = 0.05  # how often scheduled jobs are looked for; the default is 5 s

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("BENCH_URL", ""), max_size=20)
)


@app.task(name="act")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def act(n: int) -> dict[str, int]:
    note_start()
    return {"n": n}


@app.task(name="timed")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def timed(due_s: float) -> None:
    note_lateness(due_s)


@app.task(name="held")  # type: ignore[untyped-decorator]  # only in the peers' environment
async def held(n: int) -> None:
    await hold(n)


@app.periodic(cron="* * * * *")  # type: ignore[untyped-decorator]  # only in the peers' environment
@app.task(name="retry_stalled", pass_context=True)  # type: ignore[untyped-decorator]  # only there
async def retry_stalled(context: Any, timestamp: int) -> None:
    """Retry the jobs of lost workers, as the documentation advises; it does not by itself."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)


class Producer:
    async def enqueue(self, jobs: int) -> None:
        for start in range(0, jobs, CHUNK_SIZE):
            numbers = range(start, min(start + CHUNK_SIZE, jobs))
            await act.batch_defer_async(*({"n": n} for n in numbers))

    async def plan(self, due_s: float) -> None:
        due = datetime.fromtimestamp(due_s, UTC)
        await timed.configure(schedule_at=due).defer_async(due_s=due_s)

    async def hold(self, jobs: int) -> None:
        await held.batch_defer_async(*({"n": n} for n in range(jobs)))


async def produce(use: program.Enqueue) -> dict[str, float]:
    async with app.open_async():
        if not await app.check_connection_async():  # without its tables
            await app.schema_manager.apply_schema_async()
        return await use(Producer())


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(
            concurrency=CONCURRENCY, fetch_job_polling_interval=FETCH_S, shutdown_graceful_timeout=1
        )


def work() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work())


if __name__ == "__main__":
    program.run(produce, work)
