"""Concurrent writes that share one round trip: what arrives during a write goes into the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Interrupted(Exception):
    """The write was cancelled: whether it has happened is unknown."""

    def __init__(self) -> None:
        super().__init__("the write was cancelled")


Commit = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]


class GroupCommit(Generic[Item, Result]):
    """Commit items in groups of at most `limit`, in the order they came.

    `commit` answers with one result, or exception, for each item; what it raises itself is
    raised to every item of its group. A caller that is cancelled leaves its item in the group. If
    the write itself is cancelled, everybody who waits is told so by Interrupted.
    """

    def __init__(self, commit: Commit[Item, Result], limit: int) -> None:
        self._commit = commit
        self._limit = limit
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(self, item: Item) -> Result:
        """Commit one item; returns once its group is written."""
        if self._loop is None:  # asking for it costs a system call before Python 3.12
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="group-commit")
            self._flusher.add_done_callback(self._flushed)
        return await future

    async def close(self) -> None:
        """Wait until everything submitted so far is written."""
        while self._flusher is not None:
            await asyncio.wait({self._flusher})  # a function may have cancelled it

    async def _flush(self) -> None:
        try:
            # Give the callers that are ready now a turn, so that they share the first group.
            await asyncio.sleep(0)
            while self._waiting:
                size = min(len(self._waiting), self._limit)
                group = [self._waiting.popleft() for _ in range(size)]
                await self._write(group)
        finally:
            self._flusher = None

    def _flushed(self, flusher: "asyncio.Task[None]") -> None:
        """Strand nobody if it was cancelled, perhaps before its first step."""
        if flusher.cancelled() and self._flusher in (None, flusher):
            self._flusher = None
            _settle(self._waiting, [Interrupted()] * len(self._waiting))
            self._waiting.clear()

    async def _write(self, group: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        results: Sequence[Result | Exception] = [Interrupted()] * len(group)
        try:
            results = await self._commit([item for item, _ in group])
        except Exception as error:  # whatever it is, it belongs to the callers
            results = [error] * len(group)
        finally:
            _settle(group, results)


def _settle(
    group: Iterable[tuple[Item, "asyncio.Future[Result]"]], results: Sequence[Result | Exception]
) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
