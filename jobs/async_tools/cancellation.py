"""Distinguishes cancellation of the running task from that of a library or a function."""

import asyncio
from contextlib import suppress


def is_being_cancelled() -> bool:
    """Return whether the running task has an uncleared cancellation request."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def reraise_if_cancelled() -> None:
    """Raise the CancelledError that a library has swallowed.

    Python 3.11's `asyncio.wait_for`, through which redis-py sends commands, loses a cancellation
    that arrives in the same iteration of the loop as its result. Without
    this, an endless loop could not be canceled.
    """
    if is_being_cancelled():
        raise asyncio.CancelledError


async def clear_cancellation() -> None:
    """Clear all cancellation requests of the running task, including undelivered ones.

    They do not interrupt the task's next await.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
