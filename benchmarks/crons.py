"""Measures crons: many that are due at one second, many at rest, and previews of their ticks.

Run `python -m benchmarks.crons`, with the number of due crons as an argument.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import schedules
from benchmarks.machine import machine, versions
from benchmarks.processes import cpu_s
from benchmarks.servers import Servers, started
from ostinato.jobs.context import Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.crons import insert_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.ids import new_id
from ostinato.jobs.logs import configure_logs
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.records import CronSchedule
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime

DUE: Final = 10_000
RESTING: Final = (1_000, 10_000, 100_000)
REPEATS: Final = 20
CHUNK_SIZE: Final = 2_000
TICK: Final = "crons.executeCron"
RUN: Final = "tasks.runTask"
DAILY: Final = CronSchedule(cronspec="0 6 * * *")
LEAD_S: Final = 8.0  # for the insertion, and until the worker is the leader
POLL_S: Final = 0.2
DEADLINE_S: Final = 300.0
OWN_VERSIONS: Final = ("Python", "mongod", "Valkey", "ostinato", "motor", "pymongo")


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


async def measure_due(servers: Servers, settings: Settings, count: int) -> None:
    """Let many crons fall due at once, and wait until each has run."""
    async with Engine.open(settings) as engine:
        due = await engine.now() + timedelta(seconds=LEAD_S + count / 1_000)
        await register(engine, "due", count, due)
    async with running(settings) as engine:
        while (left := due - await engine.now()) > timedelta(0):
            await asyncio.sleep(left.total_seconds())
        began = time.process_time(), cpu_s([servers.mongod])
        await _until_started(engine, count)
        ended = time.process_time(), cpu_s([servers.mongod])
        starts_s = [(await _last_start(engine, name) - due).total_seconds() for name in (TICK, RUN)]
        records = await engine.mongo["cronTicks"].count_documents({})
    worker_ms, mongod_ms = ((b - a) / count * 1_000 for a, b in zip(began, ended, strict=True))
    print(
        f"{count:,} crons due at one second: every tick started within {starts_s[0]:.1f} s, every "
        f"run within {starts_s[1]:.1f} s ({count / starts_s[1]:,.0f} per second); {records:,} "
        f"records; CPU per cron: worker {worker_ms:.2f} ms, mongod {mongod_ms:.2f} ms",
        flush=True,
    )


async def _until_started(engine: Engine, count: int) -> None:
    """Wait until each cron has ticked, and no run is pending."""
    ticks, jobs = engine.mongo["cronTicks"], engine.mongo["jobs"]
    pending = {"state": "pending", "functionName": RUN}
    deadline = time.monotonic() + DEADLINE_S
    while await ticks.estimated_document_count() < count or await jobs.find_one(pending):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {count} crons have run")
        await asyncio.sleep(POLL_S)


async def _last_start(engine: Engine, function: str) -> datetime:
    """Return when the last job of a function started."""
    started_jobs = {"functionName": function, "attempt": {"$gt": 0}}
    [last] = await engine.mongo["jobs"].find(started_jobs).sort("startedAt", -1).to_list(1)
    at: datetime = last["startedAt"]
    return at


async def measure_resting(settings: Settings, counts: tuple[int, ...]) -> None:
    """Measure the search for due jobs, and the sweep for lost ticks, while more crons rest."""
    async with Engine.open(settings) as engine:
        registered = 0
        for count in counts:
            await register(engine, f"rest {count}", count - registered)
            registered = count
            due = partial(DueJobs(engine.mongo).find_earliest_due, ())
            due_ms, sweep_ms = (
                await _median_ms(due),
                await _median_ms(build_sweeps(engine)["crons"]),
            )
            keys = await _keys_examined(engine, due)
            print(
                f"{count:,} crons at rest: the query for due jobs takes {due_ms:.1f} ms "
                f"and examines {keys} keys, a sweep {sweep_ms:.1f} ms",
                flush=True,
            )


async def _median_ms(call: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began)
    return median(times) * 1_000


async def _keys_examined(engine: Engine, call: Callable[[], Awaitable[object]]) -> int:
    """Return how many index keys the queries of a call examine, from MongoDB's profiler."""
    database = engine.mongo.database
    await database.command("profile", 2)
    await call()
    await database.command("profile", 0)
    queries = await database["system.profile"].find({"ns": f"{database.name}.jobs"}).to_list(None)
    await database["system.profile"].drop()
    return sum(query.get("keysExamined", 0) for query in queries)


async def measure(servers: Servers, due: int) -> None:
    settings = Settings(
        mongo_url=servers.mongo_url,
        redis_url=servers.redis_url,
        log_level="ERROR",
        database="due",
    )
    configure_logs(settings)
    await measure_due(servers, settings, due)
    await measure_resting(settings.model_copy(update={"database": "resting"}), RESTING)


def main() -> None:
    due = int(sys.argv[1]) if len(sys.argv) > 1 else DUE
    found = versions()
    print("; ".join(f"{name}: {value}" for name, value in machine().items()))
    print("; ".join(f"{name} {found[name]}" for name in OWN_VERSIONS))
    schedules.main()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as servers:
        asyncio.run(measure(servers, due))


if __name__ == "__main__":
    main()
