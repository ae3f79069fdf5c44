"""The command line of a program: `enqueue JOBS`, `plan JOBS SPAN LOAD`, `hold JOBS` or `work`.

All but `work` print what they measured as one JSON object.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import uvloop

LEAD_S = 1.0  # from scheduling to the first due time
LOAD_INTERVAL_S = 0.05  # the interval of the load


class Producer(Protocol):
    """Puts jobs into a queue."""

    async def enqueue(self, jobs: int) -> None:
        """Enqueue no-op jobs as fast as one process can."""

    async def plan(self, due_s: float) -> None:
        """Schedule a job for a Unix time in seconds; it notes how late it starts."""

    async def hold(self, jobs: int) -> None:
        """Enqueue jobs that note each start, and wait in their first attempt."""


Enqueue = Callable[[Producer], Awaitable[dict[str, float]]]


def run(produce: Callable[[Enqueue], Coroutine[Any, Any, dict[str, float]]], work: Any) -> None:
    """Run the command of the arguments: `work` blocks, `produce` opens a producer."""
    command, *numbers = sys.argv[1:]
    if command == "work":
        work()
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if command == "enqueue":
            found = runner.run(produce(lambda to: _enqueue(to, int(numbers[0]))))
        elif command == "hold":
            found = runner.run(produce(lambda to: _hold(to, int(numbers[0]))))
        else:
            jobs, span_s, load = int(numbers[0]), float(numbers[1]), int(numbers[2])
            found = runner.run(produce(lambda to: _plan(to, jobs, span_s, load)))
    print(json.dumps(found))


async def _enqueue(to: Producer, jobs: int) -> dict[str, float]:
    started, used = time.perf_counter(), time.process_time()
    await to.enqueue(jobs)
    return {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - used}


async def _hold(to: Producer, jobs: int) -> dict[str, float]:
    await to.hold(jobs)
    return {"jobs": jobs}


async def _plan(to: Producer, jobs: int, span_s: float, load: int) -> dict[str, float]:
    """Schedule jobs for random times, and enqueue `load` other jobs per second meanwhile."""
    random_ = random.Random(jobs)  # noqa: S311 - the same times for every program
    start = time.time() + LEAD_S
    for _ in range(jobs):
        await to.plan(start + random_.random() * span_s)
    sent = 0
    while load and (passed := time.time() - start) < span_s:
        if (missing := int(load * passed) - sent) > 0:
            await to.enqueue(missing)
            sent += missing
        await asyncio.sleep(LOAD_INTERVAL_S)
    return {"load": sent / span_s}
