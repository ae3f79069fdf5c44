"""Group commit: items submitted during a write share the next write."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Interrupted(Exception):
    """The write was canceled: whether it was applied is unknown."""

    def __init__(self) -> None:
        super().__init__("the write was canceled")


Waiting = tuple[Item, asyncio.Future[Result], int]
"""An item, the result for its caller, and its weight."""
Commit = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]


class GroupCommit(Generic[Item, Result]):
    """Commits items in groups of at most `limit`, in order of submission.

    A group ends early with the item that brings its weight to `max_weight`.

    `commit` returns one result, or exception, for each item; an exception that it raises applies to
    every item of the group. An item whose caller is canceled stays in the group. If the write
    itself is canceled, every waiting caller gets Interrupted.
    """

    def __init__(
        self, commit: Commit[Item, Result], limit: int, *, max_weight: float = math.inf
    ) -> None:
        self._commit = commit
        self._limit = limit
        self._max_weight = max_weight
        self._waiting: deque[Waiting[Item, Result]] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(self, item: Item, weight: int = 0) -> Result:
        """Commit one item; returns once its group is written."""
        if self._loop is None:  # each look-up costs a system call before Python 3.12
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future, weight))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="group-commit")
            self._flusher.add_done_callback(self._flushed)
        return await future

    async def close(self) -> None:
        """Wait until all submitted items are written."""
        while self._flusher is not None:
            await asyncio.wait({self._flusher})  # not awaited: a function may have canceled it

    async def _flush(self) -> None:
        try:
            # Yield once, so that other ready callers can join the first group.
            await asyncio.sleep(0)
            while self._waiting:
                await self._write(self._next_group())
        finally:
            self._flusher = None

    def _next_group(self) -> "list[Waiting[Item, Result]]":
        group: list[Waiting[Item, Result]] = []
        total = 0
        while self._waiting and len(group) < self._limit and total < self._max_weight:
            group.append(self._waiting.popleft())
            total += group[-1][2]
        return group

    def _flushed(self, flusher: "asyncio.Task[None]") -> None:
        """Interrupt the waiting callers if the task was canceled, even before its first step."""
        if flusher.cancelled() and self._flusher in (None, flusher):
            self._flusher = None
            _settle(self._waiting, [Interrupted()] * len(self._waiting))
            self._waiting.clear()

    async def _write(self, group: "Sequence[Waiting[Item, Result]]") -> None:
        results: Sequence[Result | Exception] = [Interrupted()] * len(group)
        try:
            results = await self._commit([item for item, _, _ in group])
        except Exception as error:  # every error is raised to the callers
            results = [error] * len(group)
        finally:
            _settle(group, results)


def _settle(group: Iterable[Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
    for (_, future, _), result in zip(group, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
