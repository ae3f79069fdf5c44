"""Distinguishes a cancellation of the running task from one that a library or function caused."""

import asyncio
from contextlib import suppress


def is_being_cancelled() -> bool:
    """Return whether the running task has a cancellation request that is not cleared."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def reraise_if_cancelled() -> None:
    """Raise the CancelledError that a library below has swallowed.

    Python 3.11's `asyncio.wait_for`, through which redis-py sends commands, loses a cancellation
    that arrives in the same iteration of the loop as its result. An endless loop would never end.
    """
    if is_being_cancelled():
        raise asyncio.CancelledError


async def clear_cancellation() -> None:
    """Clear all cancellation requests of the running task, also those not delivered yet.

    What the task awaits next is then not interrupted by them.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
