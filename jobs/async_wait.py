"""Loops that end when they are told to, whatever a library makes of that, and only then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from ostinato.jobs.logs import get_log

Duty = Callable[[], Awaitable[None]]

RESTART_S: Final = 0.1

log = get_log(__name__)


class DeadlineExceeded(TimeoutError):
    """The time given to a function was over before it had returned.

    A TimeoutError that is none of these is the function's own.
    """


def reraise_if_cancelled() -> None:
    """Raise the CancelledError that something below has swallowed.

    Python 3.11's `asyncio.wait_for`, which redis-py sends commands with, loses a cancellation
    that comes in the same turn of the loop as its result. An endless loop would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def clear_cancellation() -> None:
    """Take back every cancellation of the running task, as well as one that has not come yet: what
    comes next must not be cut short by it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


async def wait_for_event(event: asyncio.Event, at_most_s: float) -> None:
    """Wait until an event is set, or for so long."""
    reraise_if_cancelled()
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        return


@asynccontextmanager
async def response_timeout(seconds: float, server: str = "MongoDB") -> AsyncIterator[None]:
    """Give a server so long to answer; raises TimeoutError that says how long it had."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise TimeoutError(f"{server} did not answer within {seconds:g} s") from error


async def run_all(*duties: Duty) -> None:
    """Run endless duties at once until one raises, or this is cancelled.

    A duty that somebody else cancels begins anew: a function may cancel every task it finds.
    """
    running = {asyncio.ensure_future(duty()): duty for duty in duties}
    try:
        while running:
            await _restart_if_cancelled(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _restart_if_cancelled(running: dict["asyncio.Task[None]", Duty]) -> None:
    """Wait for a duty to end: begin one anew that was cancelled, and raise what another raised."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        duty = running.pop(task)
        if task.cancelled():
            running[asyncio.ensure_future(_again(duty))] = duty
        else:
            task.result()


async def _again(duty: Duty) -> None:
    log.error("task.cancelled", duty=getattr(duty, "__qualname__", repr(duty)))
    await asyncio.sleep(RESTART_S)  # whatever cancelled it may do so at once again
    await duty()
