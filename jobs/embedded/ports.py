"""Owns the choice of TCP ports on this host."""

import os
import socket

from jobs.embedded.process import EmbeddedError


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((host, 0)) as server:
        port: int = server.getsockname()[1]
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
