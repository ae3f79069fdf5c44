"""Timeouts for events and server responses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled


class DeadlineExceeded(TimeoutError):
    """A function did not return within its timeout.

    Any other TimeoutError is the function's own.
    """


async def wait_for_event(event: asyncio.Event, timeout_s: float) -> None:
    """Wait up to `timeout_s` for an event."""
    reraise_if_cancelled()
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return


@asynccontextmanager
async def response_timeout(seconds: float, server: str = "MongoDB") -> AsyncIterator[None]:
    """Limit a server's response time; the TimeoutError names the server and the limit."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise TimeoutError(f"{server} did not answer within {seconds:g} s") from error
