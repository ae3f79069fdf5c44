"""The events of the live benchmark, with the same shape and size as Ostinato's."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

CURSOR = "c" * 160
JOB_ID = "Sm9iOjAxYTIwYTZiNjhkZmM4Zjg0YTMyYzA3MQ"
AT = "2030-01-01T00:00:00.000Z"


def event(number: int) -> dict[str, Any]:
    """Return the event with this number."""
    new_event = {"seq": number, "state": "PENDING", "at": AT}
    return {"cursor": CURSOR, "kind": "CHANGED", "jobId": JOB_ID, "event": new_event}


async def publish(
    events: int, interval_s: float, topics: int, send: Callable[[int, int], Awaitable[None]]
) -> list[float]:
    """Publish events over the topics in turn; return when each was published."""
    times = []
    for number in range(events):
        times.append(time.monotonic())
        await send(number % topics, number)
        if interval_s:
            await asyncio.sleep(max(0.0, times[0] + (number + 1) * interval_s - time.monotonic()))
    return times
