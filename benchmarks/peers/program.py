"""Owns the command line of a measured program: `enqueue JOBS`, `plan JOBS SPAN LOAD` or `work`.

`enqueue` and `plan` print what they measured as one JSON object.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import uvloop

LEAD_S = 1.0  # from planning to the first due time
BEAT_S = 0.05  # the load comes in portions


class Producer(Protocol):
    """What puts jobs into one queue."""

    async def enqueue(self, jobs: int) -> None:
        """Enqueue jobs that do nothing, as fast as one process can."""

    async def plan(self, due_s: float) -> None:
        """Plan a job that notes how late it starts, for a Unix time in seconds."""


Enqueue = Callable[[Producer], Awaitable[dict[str, float]]]


def run(produce: Callable[[Enqueue], Coroutine[Any, Any, dict[str, float]]], work: Any) -> None:
    """Do what the arguments say: `work` blocks, `produce` opens a producer for what it is told."""
    command, *numbers = sys.argv[1:]
    if command == "work":
        work()
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if command == "enqueue":
            found = runner.run(produce(lambda to: _enqueue(to, int(numbers[0]))))
        else:
            jobs, span_s, load = int(numbers[0]), float(numbers[1]), int(numbers[2])
            found = runner.run(produce(lambda to: _plan(to, jobs, span_s, load)))
    print(json.dumps(found))


async def _enqueue(to: Producer, jobs: int) -> dict[str, float]:
    started = time.perf_counter()
    await to.enqueue(jobs)
    return {"seconds": time.perf_counter() - started}


async def _plan(to: Producer, jobs: int, span_s: float, load: int) -> dict[str, float]:
    """Plan jobs at random instants; meanwhile enqueue `load` others a second."""
    chance = random.Random(jobs)  # noqa: S311 - the same instants for every program
    start = time.time() + LEAD_S
    for _ in range(jobs):
        await to.plan(start + chance.random() * span_s)
    sent = 0
    while load and (passed := time.time() - start) < span_s:
        if (wanted := int(load * passed) - sent) > 0:
            await to.enqueue(wanted)
            sent += wanted
        await asyncio.sleep(BEAT_S)
    return {"load": sent / span_s}
