"""Counts the open sockets, all of them and each user's, and ends them when the process stops."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from schema.transports.protocol import CloseCode


class SocketClosing(Exception):
    """Ends a socket from wherever it is raised inside; `code` None when the client has left."""

    def __init__(self, code: CloseCode | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


End = Callable[[SocketClosing], object]


class Sockets:
    """All sockets of a process; drain it before what they read from is closed."""

    def __init__(self, max_per_user: int) -> None:
        self._max_per_user = max_per_user
        self._per_user: Counter[str] = Counter()
        self._ends: set[End] = set()
        self._draining = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ends)

    @contextmanager
    def entry(self, end: End) -> Iterator[None]:
        """Hold one socket from its acceptance to its end; `end` is called to drain it."""
        if self._draining:
            raise _restarting()
        self._ends.add(end)
        try:
            yield
        finally:
            self._ends.discard(end)
            if not self._ends:
                self._empty.set()

    @contextmanager
    def entry_of_user(self, user: str) -> Iterator[None]:
        """Count one socket of `user`; raises SocketClosing when there are too many."""
        if self._per_user[user] >= self._max_per_user:
            raise SocketClosing(CloseCode.TRY_AGAIN_LATER, "Too many sockets of this user")
        self._per_user[user] += 1
        try:
            yield
        finally:
            self._per_user[user] -= 1
            if not self._per_user[user]:
                del self._per_user[user]

    async def drain(self, within_s: float) -> None:
        """Refuse new sockets, end every open one as restarting, wait at most `within_s`."""
        self._draining = True
        self._empty.clear()
        for end in tuple(self._ends):
            end(_restarting())
        if self._ends:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._empty.wait()


def _restarting() -> SocketClosing:
    return SocketClosing(CloseCode.SERVICE_RESTART, "Service restart")
