"""Writes text frames of WebSockets: one batch of results for many sockets, differing in a prefix.

Source: RFC 6455, 5.2. A server's frames are not masked, so equal messages are equal bytes.
"""

from collections.abc import Sequence
from typing import Final, Protocol

EXTENSION: Final = "ostinato.frames"
"""Where the server offers a FrameWriter, among the extensions of the ASGI scope."""

TEXT: Final = b"\x81"  # the only and last frame of a text message


class FrameWriter(Protocol):
    """The socket below ASGI."""

    def write(self, frames: bytes) -> bool:
        """Write whole frames and return True; do nothing if the peer is gone or does not read."""


class Batch:
    """Results that many sockets are sent, each behind the socket's own prefix."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads = payloads
        self._parts: dict[int, list[bytes]] = {}

    def framed(self, prefix: bytes) -> bytes:
        """Return one frame a payload, with `prefix` before it and `}` behind it."""
        size = len(prefix)
        parts = self._parts.get(size)
        if parts is None:
            parts = self._parts[size] = self._split(size)
        return prefix.join(parts)

    def _split(self, prefix_size: int) -> list[bytes]:
        """Cut the frames where the prefix goes: that is all that differs between sockets."""
        parts = [b""]
        for payload in self._payloads:
            parts[-1] += header(prefix_size + len(payload) + 1)
            parts.append(payload + b"}")
        return parts


def text_frame(message: bytes) -> bytes:
    return header(len(message)) + message


def header(size: int) -> bytes:
    """Return what goes before a text of so many bytes."""
    if size < 126:  # the RFC's own steps, as below
        return TEXT + size.to_bytes(1)
    if size < 65_536:
        return TEXT + b"\x7e" + size.to_bytes(2)
    return TEXT + b"\x7f" + size.to_bytes(8)
