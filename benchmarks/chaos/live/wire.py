"""One raw client of a WebSocket: shakes hands, takes text, and can be rude."""

import asyncio
import base64
import os
import socket
from typing import Final, Protocol, cast

SUBPROTOCOL: Final = "graphql-transport-ws"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
ROOM_BYTES: Final = 4_096  # a slow reader's: the kernel must not take in its place
SEGMENT_BYTES: Final = 1_460  # of a network; into room for less than one, five a second are sent
SHORT, MIDDLE = 126, 127


class Listener(Protocol):
    """Who is told what happens on a socket."""

    def opened(self) -> None: ...
    def told(self, text: bytes) -> None: ...
    def closed(self, code: int | None) -> None:
        """Hear of the end; the code is None if the server gave none."""


class Socket(asyncio.Protocol):
    """A socket from its handshake to its end."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._rest = b""
        self._is_open = False
        self._code: int | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        lines = (
            "GET /graphql HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        )
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._is_open:
            head, ended, after = data.partition(b"\r\n\r\n")
            if not ended:
                self._rest = data
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.cut()
                return
            self._is_open, data = True, after
            self._listener.opened()
        self._rest = self._take(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._listener.closed(self._code)

    def send(self, text: bytes) -> None:
        self._write(TEXT, text)

    def close(self) -> None:
        """Leave as one should."""
        self._write(CLOSE, (1000).to_bytes(2))
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Vanish."""
        if self._transport is not None:
            self._transport.abort()

    def read(self, wants: bool) -> None:
        """Read, or let what is sent pile up."""
        if self._transport is None or self._transport.is_closing():
            return
        if wants:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _take(self, data: bytes) -> bytes:
        """Go through the whole frames, and give back what is left."""
        start = 0
        while (sized := _frame(data, start)) is not None:
            begin, end = sized
            self._handle(data[start], data[begin:end])
            start = end
        return data[start:]

    def _handle(self, opcode: int, content: bytes) -> None:
        if opcode == TEXT:
            self._listener.told(content)
        elif opcode == PING:
            self._write(PONG, content)
        elif opcode == CLOSE:
            self._code = int.from_bytes(content[:2])
            self._write(CLOSE, content[:2])
            if self._transport is not None:
                self._transport.close()

    def _write(self, opcode: int, content: bytes) -> None:
        """Write a masked frame; the mask is zero."""
        if self._transport is None or self._transport.is_closing():
            return
        size = len(content)
        head = bytes([0x80 | size]) if size < SHORT else bytes([0xFE]) + size.to_bytes(2)
        self._transport.write(bytes([opcode]) + head + bytes(4) + content)


def _frame(data: bytes, start: int) -> tuple[int, int] | None:
    """Find where a frame's content begins and ends; None if it is not whole."""
    if len(data) - start < 2:
        return None
    size, begin = data[start + 1], start + 2
    if size == SHORT:
        size, begin = int.from_bytes(data[begin : begin + 2]), begin + 2
    elif size == MIDDLE:
        size, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
    return (begin, begin + size) if begin + size <= len(data) else None


async def connect(port: int, listener: Listener, *, has_little_room: bool) -> Socket:
    """Open a socket to an API process; raises OSError."""
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    raw.setblocking(False)
    if has_little_room:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    try:
        await loop.sock_connect(raw, ("127.0.0.1", port))
    except BaseException:
        raw.close()
        raise
    _, found = await loop.create_connection(lambda: Socket(listener), sock=raw)
    return found
