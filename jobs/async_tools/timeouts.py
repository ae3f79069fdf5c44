"""Timeouts for functions, events and server responses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled


class DeadlineExceeded(TimeoutError):
    """A function did not return within its timeout.

    Any other TimeoutError is the function's own.
    """


MAX_IDLE_TIMERS: Final = 16  # jobs may have a timeout each of their own


class Deadline:
    """A block of a task that is canceled at a time, as by `asyncio.timeout`."""

    __slots__ = ("_blocks", "_cancel_requests", "_task", "at", "has_expired")

    def __init__(self, blocks: "_Blocks", at: float, task: "asyncio.Task[Any]") -> None:
        self.at = at
        """In event loop time."""
        self.has_expired = False
        self._blocks = blocks
        self._task = task
        self._cancel_requests = 0

    def __enter__(self) -> Self:
        self._cancel_requests = self._task.cancelling()
        self._blocks.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Raise TimeoutError in the place of the deadline's own CancelledError."""
        self._blocks.remove(self)
        if not self.has_expired or self._task.uncancel() > self._cancel_requests:
            return
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the block."""
        self.has_expired = True
        self._task.cancel()


class Deadlines:
    """Limits the time of many blocks with one timer per duration: a timer for each block would cost
    more than a short function."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._blocks: dict[float, _Blocks] = {}

    def limit(self, seconds: float, task: "asyncio.Task[Any]") -> Deadline:
        """Return a block for `with`, to be entered at once in `task`, which is running."""
        blocks = self._blocks.get(seconds)
        if blocks is None:
            self._remove_idle()
            blocks = self._blocks[seconds] = _Blocks(self._loop)
        return Deadline(blocks, self._loop.time() + seconds, task)

    def _remove_idle(self) -> None:
        if len(self._blocks) < MAX_IDLE_TIMERS:
            return
        for seconds in [seconds for seconds, blocks in self._blocks.items() if blocks.is_idle]:
            self._blocks.pop(seconds).stop()


class _Blocks:
    """The open blocks of one duration, in the order of their deadlines."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        return not self._open

    def add(self, deadline: Deadline) -> None:
        self._open[deadline] = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline.at, self._expire)

    def remove(self, deadline: Deadline) -> None:
        """Remove a block; the timer finds out later that the block has ended."""
        self._open.pop(deadline, None)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._open:
            deadline = next(iter(self._open))
            if deadline.at > now:
                self._timer = self._loop.call_at(deadline.at, self._expire)
                return
            del self._open[deadline]
            deadline.expire()


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
