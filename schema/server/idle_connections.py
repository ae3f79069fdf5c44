"""Limits the connections that wait for their clients: for a request, or for `connection_init`.

Each costs a file descriptor and nothing else, so anybody could take all of them.
"""

import resource
from collections.abc import Hashable, Sequence
from typing import Final, Protocol

from uvicorn.middleware.proxy_headers import _TrustedHosts

from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.settings import Settings
from ostinato.resolvers.throttle import client_network

RESERVED_FILES: Final = (
    256  # for MongoDB (up to 100 connections), Redis, files, and new connections
)
RESERVED_SHARE: Final = 0.25  # of a limit below 1,024
UNLIMITED: Final = 1 << 30
FIX: Final = "raise the limit of open files (ulimit -n, LimitNOFILE), or start more API processes"

log = get_log("ostinato.connections")


class OpenConnection(Hashable, Protocol):
    """An open connection."""

    def abort(self) -> None:
        """Close at once, without waiting for the client."""


class IdleConnections:
    """The idle connections of a process, oldest first.

    A connection is idle unless it has a complete request that is not answered yet, or is a
    WebSocket whose token was accepted.
    """

    def __init__(self, max_per_address: int, max_open: int, trusted: Sequence[str] = ()) -> None:
        self._max_per_address = max_per_address
        self._max_open = max_open
        self._trusted = _TrustedHosts(list(trusted))
        self._all: dict[OpenConnection, str | None] = {}
        self._by_address: dict[str, dict[OpenConnection, None]] = {}
        self._throttle = LogThrottle(60.0)

    @classmethod
    def of(cls, settings: Settings) -> "IdleConnections":
        """Build the limits of the settings and of this process's limit of open files."""
        return cls(
            settings.max_idle_connections_per_address,
            max_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            settings.trusted_proxies,
        )

    def __len__(self) -> int:
        return len(self._all)

    def counted_address(self, host: str) -> str | None:
        """Return the address that a host's connections count for.

        None for a trusted proxy, whose connections carry many clients.
        """
        return None if host in self._trusted else client_network(host)

    def admit(self, open_connections: int) -> bool:
        """Make room for a new connection; return False if all others are in use."""
        if open_connections <= self._max_open:
            return True
        if self._throttle.allows("full"):
            log.warning("connections.full", open=open_connections, idle=len(self._all), fix=FIX)
        return self._close_oldest(self._all)

    def add(self, connection: OpenConnection, address: str | None) -> None:
        """Add a connection that becomes idle; close the oldest of its address if it has too many.

        `address` is its `counted_address`.
        """
        self.remove(connection)
        self._all[connection] = address
        if address is None:
            return
        same_address = self._by_address.setdefault(address, {})
        same_address[connection] = None
        if len(same_address) > self._max_per_address:
            if self._throttle.allows(address):
                log.warning("connections.idle_closed", address=address, idle=len(same_address) - 1)
            self._close_oldest(same_address)

    def remove(self, connection: OpenConnection) -> None:
        """Remove a connection that is in use or closed."""
        address = self._all.pop(connection, None)
        if address is None:
            return
        same_address = self._by_address[address]
        del same_address[connection]
        if not same_address:
            del self._by_address[address]

    def _close_oldest(
        self, connections: dict[OpenConnection, None] | dict[OpenConnection, str | None]
    ) -> bool:
        oldest = next(iter(connections), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.abort()
        return True


def max_connections(open_files: int) -> int:
    """Return how many connections a process with this limit of open files may have."""
    if open_files == resource.RLIM_INFINITY:
        return UNLIMITED
    return open_files - min(RESERVED_FILES, int(open_files * RESERVED_SHARE))
