"""Lets subscriptions that begin alike begin together: the rows of a snapshot are read and executed
once for all who asked before the read began.
"""

import asyncio
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from jobs.errors import Unavailable
from resolvers.changes import Leg
from schema.transports.group import Source
from schema.transports.members import Told
from schema.transports.turns import Turns

BURST: Final = 100  # rows that are handed on together


class Beginning:
    """What one leg tells, for as many as ask before it has begun. Whoever is slow holds up nobody:
    a beginning has an end, and all of it is kept until the last has taken it."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.takers = 0
        self._told: list[Told] = []
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    async def run(self, source: Source, turns: Turns) -> None:
        async with aclosing(source(self.leg)) as results:
            async for told in results:
                self._told.append(told)
                self._wake()
                await turns.take()

    def end(self, error: Exception | None) -> None:
        self._has_ended, self._error = True, error
        self._wake()

    async def bursts(self) -> AsyncGenerator[Sequence[Told], None]:
        """Yield everything from the first result on; raises what ended it."""
        taken = 0
        while True:
            while burst := self._told[taken : taken + BURST]:
                taken += len(burst)
                yield burst
            if self._has_ended:
                break
            await self._news.wait()
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        self._news.set()
        self._news.clear()


class Beginnings:
    """Those of a process, by what makes them alike: one is told, and one waits for its end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._told: dict[Hashable, asyncio.Task[None]] = {}
        self._waiting: dict[Hashable, Beginning] = {}
        self._tasks: dict[Beginning, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def bursts(
        self, key: Hashable, leg: Leg, source: Source
    ) -> AsyncGenerator[Sequence[Told], None]:
        """Yield what a leg tells that begins now or later; it is noted on `leg` how it ended."""
        beginning = self._waiting.get(key) or self._found(key, leg, source)
        beginning.takers += 1
        try:
            async with aclosing(beginning.bursts()) as bursts:
                async for burst in bursts:
                    yield burst
        finally:
            beginning.takers -= 1
            if not beginning.takers:
                self._abandon(key, beginning)
        leg.ended_as(beginning.leg)

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _found(self, key: Hashable, leg: Leg, source: Source) -> Beginning:
        shared = Leg(starts_over=leg.starts_over, ends_at_joint=True)
        beginning = self._waiting[key] = Beginning(shared)
        task = asyncio.create_task(self._tell(key, beginning, source))
        task.add_done_callback(partial(self._end, key, beginning))
        self._tasks[beginning] = task
        return beginning

    def _abandon(self, key: Hashable, beginning: Beginning) -> None:
        if self._waiting.get(key) is beginning:
            del self._waiting[key]
        if (task := self._tasks.get(beginning)) is not None:
            task.cancel()

    async def _tell(self, key: Hashable, beginning: Beginning, source: Source) -> None:
        while (before := self._told.get(key)) is not None:
            await asyncio.wait({before})
        self._told[key] = self._tasks[beginning]
        del self._waiting[key]
        await beginning.run(source, self._turns)

    def _end(self, key: Hashable, beginning: Beginning, task: asyncio.Task[None]) -> None:
        del self._tasks[beginning]
        if self._told.get(key) is task:
            del self._told[key]
        if self._waiting.get(key) is beginning:
            del self._waiting[key]
        beginning.end(error_of(task))


def error_of(task: asyncio.Task[None]) -> Exception | None:
    """Say what those are told for whom an ended task has worked."""
    if task.cancelled():
        return Unavailable("the server is stopping: resume elsewhere")
    error = task.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
