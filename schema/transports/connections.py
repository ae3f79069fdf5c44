"""The registry of open WebSockets and streams: limits per user and address, and draining."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from starlette.datastructures import Address

from ostinato.jobs.settings import Settings
from ostinato.resolvers.throttle import client_network
from ostinato.schema.transports.graphql_ws import CloseCode


class ConnectionClosing(Exception):
    """Closes a connection with a code and reason; `code` is None if the client disconnected."""

    def __init__(self, code: CloseCode | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


CloseCallback = Callable[[ConnectionClosing], object]


class ConnectionQuota:
    """Limits the number of connections per user or per address."""

    def __init__(self, limit: int, holder: str, setting: str) -> None:
        self._limit = limit
        self._setting = setting
        self._holder = holder
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._counts)

    @contextmanager
    def acquire(self, name: str) -> Iterator[None]:
        if self._counts[name] >= self._limit:
            reason = (
                f"Too many connections of this {self._holder}: close one, or raise {self._setting}"
            )
            raise ConnectionClosing(CloseCode.TRY_AGAIN_LATER, reason)
        self._counts[name] += 1
        try:
            yield
        finally:
            self._counts[name] -= 1
            if not self._counts[name]:
                del self._counts[name]


class ConnectionRegistry:
    """The open WebSockets and streams of a process."""

    def __init__(self, settings: Settings) -> None:
        self._users = ConnectionQuota(
            settings.max_sockets_per_user, "user", "OSTINATO_MAX_SOCKETS_PER_USER"
        )
        self._addresses = ConnectionQuota(
            settings.max_sockets_per_address, "address", "OSTINATO_MAX_SOCKETS_PER_ADDRESS"
        )
        self._open: set[CloseCallback] = set()
        self.closed: Counter[str] = Counter()
        """Closed WebSockets by close code, or `client` if the client disconnected."""
        self._draining = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def quota_holders(self) -> int:
        """Return the number of users and addresses that have connections."""
        return len(self._users) + len(self._addresses)

    @contextmanager
    def register(self, close: CloseCallback) -> Iterator[None]:
        """Register a connection for the duration of the block; `close` is called to drain it."""
        if self._draining:
            raise _service_restart()
        self._open.add(close)
        try:
            yield
        finally:
            self._open.discard(close)
            if not self._open:
                self._empty.set()

    def count_close(self, closing: ConnectionClosing) -> None:
        """Count a closed WebSocket."""
        self.closed["client" if closing.code is None else str(closing.code.value)] += 1

    def acquire_for_user(self, user: str) -> AbstractContextManager[None]:
        """Count a connection of the user; entering raises ConnectionClosing above the limit."""
        return self._users.acquire(user)

    def acquire_for_address(self, client: Address | None) -> AbstractContextManager[None]:
        """Count a connection of the address; entering raises ConnectionClosing above the limit."""
        return self._addresses.acquire(address_of(client))

    async def drain(self, timeout_s: float) -> None:
        """Reject new connections, close the open ones, and wait at most `timeout_s` for them."""
        self._draining = True
        self._empty.clear()
        for close in tuple(self._open):
            close(_service_restart())
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._empty.wait()


def address_of(client: Address | None) -> str:
    """Return the address of a client that limits apply to."""
    return client_network(client.host) if client else ""


def _service_restart() -> ConnectionClosing:
    return ConnectionClosing(CloseCode.SERVICE_RESTART, "Service restart: reconnect")
