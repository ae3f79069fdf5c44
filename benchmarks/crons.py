"""Measures crons: many that are due at one second, one that ticks often, and many at rest.

Run `python -m benchmarks.crons`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.servers import started
from ostinato.jobs.context import Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.crons import insert_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.ids import new_id
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.records import CronSchedule
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime

DUE: Final = 10_000
RESTING: Final = (1_000, 10_000, 100_000)
SWEEPS: Final = 20
CHUNK_SIZE: Final = 2_000
RUN: Final = "tasks.runTask"
DAILY: Final = CronSchedule(cronspec="0 6 * * *")
LEAD_S: Final = 8.0  # for the insertion, and until the worker is the leader
POLL_S: Final = 0.2
DEADLINE_S: Final = 300.0


async def register(engine: Engine, name: str, count: int, due: datetime | None = None) -> None:
    """Register a cron of the system, and insert copies of it and of its tick job.

    Their next tick is at 06:00, or at `due` and a day later.
    """

    async def body(ctx: Context) -> str:
        new = NewCron(name=f"{name} first", args={"name": "x"}, function_name=RUN)
        return (await insert_cron(ctx, new, DAILY, {"name": "x"})).id

    crons, jobs = engine.mongo["crons"], engine.mongo["jobs"]
    cron = await crons.find_one({"_id": await engine.transact(None, body)})
    assert cron is not None
    tick = await jobs.find_one({"_id": cron["schedulerJobId"]})
    assert tick is not None
    if due is not None:
        schedule = {"kind": "interval", "ms": 86_400_000}
        cron = {**cron, "schedule": schedule, "nextRunTime": due}
        tick = {**tick, "scheduledTime": due}
    for first in range(0, count, CHUNK_SIZE):
        copies = [
            _copy(cron, tick, f"{name} {n}") for n in range(first, min(first + CHUNK_SIZE, count))
        ]
        await jobs.insert_many([job for _, job in copies])
        await crons.insert_many([copied for copied, _ in copies])


def _copy(
    cron: dict[str, Any], tick: dict[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    cron_id, job_id = new_id(), new_id()
    job = {
        **tick,
        "_id": job_id,
        "rootId": job_id,
        "args": {"cronId": cron_id},
        "cause": {"kind": "cron", "id": cron_id},
        "tick": {**tick["tick"], "cronId": cron_id},
    }
    return {**cron, "_id": cron_id, "name": name, "schedulerJobId": job_id}, job


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Engine]:
    """Run a worker in this process."""
    async with WorkerRuntime.open(settings) as worker:
        task = asyncio.create_task(worker.run())
        try:
            yield worker.engine
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await worker.drain()


async def measure_due(settings: Settings, count: int) -> None:
    """Let many crons fall due at once, and wait until each has run."""
    async with Engine.open(settings) as engine:
        due = await engine.now() + timedelta(seconds=LEAD_S + count / 1_000)
        await register(engine, "due", count, due)
    async with running(settings) as engine:
        while (left := due - await engine.now()) > timedelta(0):
            await asyncio.sleep(left.total_seconds())
        began = time.monotonic()
        ticks_s = await _until_started(engine, "crons.executeCron", count) - began
        runs_s = await _until_started(engine, RUN, count) - began
        records = await engine.mongo["cronTicks"].count_documents({})
    print(
        f"{count:,} crons due at one second: every tick started in {ticks_s:.1f} s, and every run "
        f"in {runs_s:.1f} s ({count / runs_s:,.0f} per second); {records:,} records"
    )


async def _until_started(engine: Engine, function: str, count: int) -> float:
    """Wait until so many jobs of a function have started; return the time."""
    started_jobs = {"functionName": function, "attempt": {"$gt": 0}}
    deadline = time.monotonic() + DEADLINE_S
    while await engine.mongo["jobs"].count_documents(started_jobs) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all {count} jobs of {function} have started")
        await asyncio.sleep(POLL_S)
    return time.monotonic()


async def measure_resting(settings: Settings, counts: tuple[int, ...]) -> None:
    """Measure the sweep for lost ticks while more and more crons are not due."""
    async with Engine.open(settings) as engine:
        registered = 0
        for count in counts:
            await register(engine, f"rest {count}", count - registered)
            registered = count
            sweep = build_sweeps(engine)["crons"]
            began = time.monotonic()
            for _ in range(SWEEPS):
                await sweep()
            sweep_ms = (time.monotonic() - began) / SWEEPS * 1_000
            print(f"{count:,} crons at rest: a sweep takes {sweep_ms:.1f} ms")


async def measure(mongo_url: str, redis_url: str, due: int) -> None:
    settings = Settings(mongo_url=mongo_url, redis_url=redis_url, log_level="ERROR", database="due")
    await measure_due(settings, due)
    await measure_resting(settings.model_copy(update={"database": "resting"}), RESTING)


def main() -> None:
    due = int(sys.argv[1]) if len(sys.argv) > 1 else DUE
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as servers:
        asyncio.run(measure(servers.mongo_url, servers.redis_url, due))


if __name__ == "__main__":
    main()
