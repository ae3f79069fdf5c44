"""The registry of open WebSockets and streams: limits per user and address, and draining."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime

from starlette.datastructures import Address

from ostinato.jobs.errors import Unauthorized
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import REVOKED, Viewer
from ostinato.resolvers.throttle import client_network
from ostinato.schema.transports.graphql_ws import CloseCode


class ConnectionClosing(Exception):
    """Closes a connection with a code and reason; `code` is None if the client disconnected."""

    def __init__(self, code: CloseCode | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


CloseCallback = Callable[[ConnectionClosing], object]


class TokenLifetime:
    """The time until a connection's token expires or is revoked."""

    def __init__(self, viewer: Viewer, expired: str) -> None:
        """`expired` is the error of a connection whose token has expired."""
        self.viewer = viewer
        self.error = Unauthorized(expired)
        """Why the token is not valid any more, once it has ended."""
        self._now = asyncio.get_running_loop().time
        self.ends_at = float("inf")
        """The time of the event loop's clock at which the connection ends."""
        if viewer.expires_at is not None:
            remaining = viewer.expires_at - datetime.now(UTC)
            self.ends_at = self._now() + remaining.total_seconds()
        self._waiting: asyncio.Timeout | None = None

    @property
    def close_reason(self) -> str:
        message = str(self.error)
        return message[0].upper() + message[1:]

    @property
    def has_ended(self) -> bool:
        return self._now() >= self.ends_at

    @asynccontextmanager
    async def timeout_at(self, at: float) -> AsyncIterator[None]:
        """Raise TimeoutError from the block at this time, or when the token ends."""
        async with asyncio.timeout_at(min(at, self.ends_at)) as waiting:
            self._waiting = waiting
            try:
                yield
            finally:
                self._waiting = None

    def revoke(self) -> None:
        """End the token now."""
        self.error = Unauthorized(REVOKED)
        self.ends_at = self._now()
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(self.ends_at)


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
        self._lifetimes: set[TokenLifetime] = set()
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

    @contextmanager
    def acquire_for_user(self, lifetime: TokenLifetime) -> Iterator[None]:
        """Count a connection of the token's user, and end the lifetime if the token is revoked.

        Entering raises ConnectionClosing above the limit.
        """
        with self._users.acquire(lifetime.viewer.id):
            self._lifetimes.add(lifetime)
            try:
                yield
            finally:
                self._lifetimes.discard(lifetime)

    def end_revoked(self, is_revoked: Callable[[Viewer], bool]) -> None:
        """End the connections whose tokens are revoked."""
        for lifetime in tuple(self._lifetimes):
            if is_revoked(lifetime.viewer):
                lifetime.revoke()

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
