"""Measures how fast jobs are inserted, and how fast one worker drains them, on embedded servers.

Arguments: number of jobs (5,000), function (`noop.act`; `noop.mutate` runs a transaction each).
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from jobs.embedded import start_services
from jobs.embedded.process import Child, spawn
from jobs.engine import Engine
from jobs.mongo.job_documents import NewJob
from jobs.records import Cause, CauseKind
from jobs.registry import registry
from jobs.settings import Mode, Settings

ROOT = Path(__file__).parent.parent
AT_ONCE = 500
POLL_S = 0.1
FINISHED_S = 300.0


async def insert(engine: Engine, function: str, jobs: int) -> float:
    """Insert jobs as an API would, many at once; return the seconds it took."""
    registered = registry.get(function)
    assert registered is not None, f"there is no {function}"
    now = await engine.clock.now()
    new = NewJob(
        function=registered,
        args={},
        owner="bench",
        cause=Cause(kind=CauseKind.API),
        scheduled_time=now,
    )
    started = time.perf_counter()
    for _ in range(0, jobs, AT_ONCE):
        await asyncio.gather(*(engine.schedule(new) for _ in range(AT_ONCE)))
    return time.perf_counter() - started


async def drained(engine: Engine, jobs: int) -> float:
    """Wait until all have succeeded; return the seconds from the first start to the last end."""
    collection = engine.mongo["jobs"]
    async with asyncio.timeout(FINISHED_S):
        while await collection.count_documents({"state": "success"}) < jobs:
            await asyncio.sleep(POLL_S)
    span = {"_id": None, "first": {"$min": "$startedAt"}, "last": {"$max": "$completedAt"}}
    (found,) = await collection.aggregate([{"$group": span}]).to_list(None)
    first: datetime = found["first"]
    return float((found["last"] - first).total_seconds())


async def measure(folder: Path, jobs: int, function: str) -> None:
    services = await start_services(folder)
    settings = Settings(
        mongo_url=services.mongo_url,
        redis_url=services.redis_url,
        mode=Mode.TEST,
        functions=("benchmarks.noop",),
        log_level="WARNING",
    )
    try:
        async with Engine.open(settings) as engine:
            took = await insert(engine, function, jobs)
            print(f"inserted {jobs:,} jobs: {jobs / took:,.0f} a second", flush=True)
            worker = _worker(settings)
            try:
                took = await drained(engine, jobs)
            finally:
                await worker.stop()
            print(f"one worker ran {function} {jobs:,} times: {jobs / took:,.0f} a second")
    finally:
        await services.stop()


def _worker(settings: Settings) -> Child:
    env = {
        **os.environ,
        "OSTINATO_MONGO_URL": settings.mongo_url,
        "OSTINATO_REDIS_URL": settings.redis_url,
        "OSTINATO_MODE": "test",
        "OSTINATO_FUNCTIONS": "benchmarks.noop",
        "OSTINATO_LOG_LEVEL": "WARNING",
    }
    return spawn("worker", [sys.executable, str(ROOT / "ostinato.py"), "worker"], env=env)


def main(jobs: str = "5000", function: str = "noop.act") -> None:
    rounded = max(AT_ONCE, int(jobs) // AT_ONCE * AT_ONCE)
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder:
        asyncio.run(measure(Path(folder), rounded, function))


if __name__ == "__main__":
    main(*sys.argv[1:])
