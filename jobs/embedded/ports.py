"""Finds free TCP ports on this host."""

import errno
import os
import random
import socket
from typing import Final

from ostinato.jobs.embedded.process import EmbeddedError

PORT_RANGE: Final = range(10_000, 32_768)
"""Outside Linux's ephemeral port range."""
MAX_TRIES: Final = 100
TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    for port in random.sample(PORT_RANGE, MAX_TRIES):
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            continue
        return port
    raise EmbeddedError(f"no free port found on {host} after {MAX_TRIES} tries")


def require_free(host: str, port: int, variable: str) -> None:
    """Raise EmbeddedError if the port is taken; `variable` is the setting that changes it."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EmbeddedError(
            f"Port {port} on {host}: {reason}. Stop the program that uses it, or choose another "
            f"port with {variable}."
        ) from error
