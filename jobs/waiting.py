"""Waits of loops that must end when they are cancelled, whatever a library makes of that."""

import asyncio
from contextlib import suppress


class DeadlineExceeded(TimeoutError):
    """The time given to a function was over before it had returned.

    A TimeoutError that is none of these is the function's own.
    """


def end_if_cancelled() -> None:
    """Raise the CancelledError that something below has swallowed.

    Python 3.11's `asyncio.wait_for`, which redis-py sends commands with, loses a cancellation
    that comes in the same turn of the loop as its result. An endless loop would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def forget_cancellation() -> None:
    """Take back every cancellation of the running task, as well as one that has not come yet: what
    comes next must not be cut short by it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


async def wait_for_event(event: asyncio.Event, at_most_s: float) -> None:
    """Wait until an event is set, or for so long."""
    end_if_cancelled()
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        return
