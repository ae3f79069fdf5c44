"""WebSocket text frames, encoded once for many sockets whose messages differ only in a prefix.

Implements RFC 6455, 5.2. Server frames are not masked, so equal messages are equal bytes.
"""

from collections.abc import Sequence
from typing import Final, Protocol

EXTENSION: Final = "ostinato.frames"
"""The ASGI scope extension that contains the FrameWriter."""

TEXT: Final = b"\x81"  # FIN and opcode 1: an unfragmented text message


class FrameWriter(Protocol):
    """Writes raw frames to a socket, bypassing ASGI."""

    def write(self, frames: bytes) -> bool:
        """Write whole frames and return True; return False if the peer is gone or not reading."""

    def accept_client(self) -> None:
        """Exempt the socket from the limits of idle connections: its token was accepted."""


class FrameBatch:
    """Payloads for many sockets; each socket adds its own prefix."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads = payloads
        self._parts: dict[int, list[bytes]] = {}

    def with_prefix(self, prefix: bytes) -> bytes:
        """Return one frame per payload: `prefix`, the payload, and a closing `}`."""
        size = len(prefix)
        parts = self._parts.get(size)
        if parts is None:
            parts = self._parts[size] = self._split(size)
        return prefix.join(parts)

    def _split(self, prefix_size: int) -> list[bytes]:
        """Return the frames, split where prefixes of `prefix_size` bytes are inserted."""
        parts = [b""]
        for payload in self._payloads:
            parts[-1] += header(prefix_size + len(payload) + 1)
            parts.append(payload + b"}")
        return parts


def text_frame(message: bytes) -> bytes:
    return header(len(message)) + message


def header(size: int) -> bytes:
    """Return the frame header of a text message of `size` bytes."""
    if size < 126:  # limits from the RFC
        return TEXT + size.to_bytes(1)
    if size < 65_536:
        return TEXT + b"\x7e" + size.to_bytes(2)
    return TEXT + b"\x7f" + size.to_bytes(8)
