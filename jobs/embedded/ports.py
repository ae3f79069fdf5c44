"""Owns the choice of TCP ports on this host."""

import os
import random
import socket
from typing import Final

from jobs.embedded.process import EmbeddedError

OURS: Final = range(10_000, 32_768)
"""Ports that Linux gives to no outgoing connection: one of those may be taken at any moment."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    while True:
        port = random.choice(OURS)  # noqa: S311 - no secret
        try:
            socket.create_server((host, port)).close()
        except OSError:
            continue
        return port


def require_free(host: str, port: int, variable: str) -> None:
    """Raise EmbeddedError, naming the variable that moves it, if the port is taken."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EmbeddedError(
            f"Port {port} on {host}: {reason}. Stop the program that has it, or choose another "
            f"port with {variable}."
        ) from error
