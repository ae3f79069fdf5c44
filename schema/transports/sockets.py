"""Counts open sockets and streams, each user's and address's too, and ends them at a stop."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from starlette.datastructures import Address

from ostinato.schema.transports.protocol import CloseCode


class SocketClosing(Exception):
    """Ends a socket from wherever it is raised inside; `code` None when the client has left."""

    def __init__(self, code: CloseCode | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


End = Callable[[SocketClosing], object]


class _Shares:
    """What each of many holders may hold at most."""

    def __init__(self, most: int, holder: str, setting: str) -> None:
        self._most = most
        self._setting = setting
        self._holder = holder
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        if self._held[name] >= self._most:
            reason = f"Too many sockets of this {self._holder}: close one, or raise {self._setting}"
            raise SocketClosing(CloseCode.TRY_AGAIN_LATER, reason)
        self._held[name] += 1
        try:
            yield
        finally:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]


class Sockets:
    """All sockets and streams of a process; drain it before what they read from is closed."""

    def __init__(self, max_per_user: int, max_per_address: int) -> None:
        self._users = _Shares(max_per_user, "user", "OSTINATO_MAX_SOCKETS_PER_USER")
        self._addresses = _Shares(max_per_address, "address", "OSTINATO_MAX_SOCKETS_PER_ADDRESS")
        self._ends: set[End] = set()
        self.closed: Counter[str] = Counter()
        """WebSockets that were, by the code that we closed them with or `client`."""
        self._draining = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def holders(self) -> int:
        """Count the users and the addresses that have any."""
        return len(self._users) + len(self._addresses)

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

    def note_closed(self, closing: SocketClosing) -> None:
        """Count a WebSocket that ends."""
        self.closed["client" if closing.code is None else str(closing.code.value)] += 1

    def entry_of_user(self, user: str) -> AbstractContextManager[None]:
        """Count one socket of `user`; entering raises SocketClosing when there are too many."""
        return self._users.hold(user)

    def entry_of_address(self, client: Address | None) -> AbstractContextManager[None]:
        """Count one socket from an address; entering raises SocketClosing beyond the bound."""
        return self._addresses.hold(client.host if client else "")

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
    return SocketClosing(CloseCode.SERVICE_RESTART, "Service restart: reconnect")
