"""Detects, clears and defers the cancellation of the running task."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")

MAX_CLEANUP_TRIES: Final = 100  # code that cancels in an endless loop must not keep a process alive


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


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end, even if the caller is canceled meanwhile.

    Raises the task's exception, or the CancelledError of the caller.
    """

    async def end() -> None:
        task.cancel()
        await asyncio.wait({task})

    await run_cleanup(end)
    if not task.cancelled():
        task.result()


async def run_cleanup(cleanup: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `cleanup` to completion, even if the caller is canceled meanwhile; raises the
    CancelledError afterwards.

    `cleanup` runs in its own task and is repeated if that task is canceled, for example by a
    function that cancels all tasks. It must therefore be idempotent.
    """
    canceled: asyncio.CancelledError | None = None
    for _ in range(MAX_CLEANUP_TRIES):
        running = asyncio.create_task(cleanup())
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError as error:
                canceled = error
        if not running.cancelled():
            running.result()
            break
    if canceled is not None:
        raise canceled


async def run_in_thread(call: Callable[[], T]) -> T:
    """Return what `call` returns in another thread, with the context of the caller.

    If the caller is canceled, raises CancelledError only after `call` has returned: until then, the
    thread uses what the caller may then close.
    """
    context = copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, lambda: context.run(call))
    canceled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            canceled = error
    if canceled is None:
        return running.result()
    running.exception()  # retrieved, so that asyncio does not log it
    raise canceled
