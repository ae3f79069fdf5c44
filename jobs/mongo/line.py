"""Excuses what a transaction waits in line for its turn: a deadline is for what one does."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from ostinato.jobs.async_wait import DeadlineExceeded

T = TypeVar("T")

IN_LINE_S: Final = 30.0  # of one transaction, in all; a rival takes a tenth of a second


class Line:
    """Puts a deadline off by what was waited for turns, `left_s` seconds at most in all."""

    def __init__(self, deadline: asyncio.Timeout, left_s: float) -> None:
        self.left_s = left_s
        self._deadline = deadline
        self._now = asyncio.get_running_loop().time

    def require_time(self) -> None:
        """Raise DeadlineExceeded if the time is over: the body may swallow its cancellation."""
        if self._deadline.expired():
            raise DeadlineExceeded("the function returned after its time")

    async def wait(self, turn: Awaitable[T]) -> T:
        """Wait for a turn; raises what the turn does."""
        when, began = self._deadline.when(), self._now()
        if when is None or self._deadline.expired():
            return await turn
        self._deadline.reschedule(when + self.left_s)
        try:
            return await turn
        finally:
            excused_s = min(self._now() - began, self.left_s)
            self.left_s -= excused_s
            if not self._deadline.expired():
                self._deadline.reschedule(when + excused_s)
