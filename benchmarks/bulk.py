"""Measures `schedule_many`, with 1,000 jobs a call: run `python -m benchmarks.bulk`."""

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

from benchmarks.processes import cpu_s
from benchmarks.servers import Servers, started
from ostinato import Ostinato
from ostinato.client.job_verbs import Call
from ostinato.jobs.settings import Settings

JOBS: Final = 1_000
CALLS: Final = 15
ROUNDS: Final = 3
OWNERS: Final = 100
NEXT_WEEK: Final = timedelta(days=7)


async def measure(servers: Servers) -> None:
    settings = Settings(
        mongo_url=servers.mongo_url,
        redis_url=servers.redis_url,
        log_level="ERROR",
        functions=("benchmarks.noop",),
    )
    calls = [
        Call("noop.act", {"n": n}, run_after=NEXT_WEEK, owner=f"planner-{n % OWNERS}")
        for n in range(JOBS)
    ]
    async with Ostinato(settings) as app:
        await app.schedule_many(calls)
        for _ in range(ROUNDS):
            began = time.process_time(), cpu_s([servers.mongod]), time.monotonic()
            for _ in range(CALLS):
                await app.schedule_many(calls)
            ended = time.process_time(), cpu_s([servers.mongod]), time.monotonic()
            took = [(after - before) / CALLS for before, after in zip(began, ended, strict=True)]
            client_us, mongod_us = (each / JOBS * 1_000_000 for each in took[:2])
            print(
                f"{JOBS / took[2]:,.0f} jobs scheduled per second; CPU per job: client "
                f"{client_us:.0f} us, mongod {mongod_us:.0f} us"
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as servers:
        asyncio.run(measure(servers))


if __name__ == "__main__":
    main()
