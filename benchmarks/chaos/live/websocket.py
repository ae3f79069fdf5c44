"""A raw WebSocket client that can stop reading and abort its connection."""

import asyncio
import base64
import os
import socket
from typing import Final, Protocol, cast

SUBPROTOCOL: Final = "graphql-transport-ws"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
RECEIVE_BUFFER_BYTES: Final = 4_096  # of a slow reader: the kernel must not buffer for it
SEGMENT_BYTES: Final = 1_460  # with smaller buffers the kernel sends five segments a second
SHORT, MIDDLE = 126, 127


class Listener(Protocol):
    """Receives the events of a socket."""

    def on_open(self) -> None: ...
    def on_message(self, text: bytes) -> None: ...
    def on_close(self, code: int | None) -> None:
        """Handle the end of the connection; the code is None if the server sent none."""


class Socket(asyncio.Protocol):
    """A WebSocket connection."""

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
                self.abort()
                return
            self._is_open, data = True, after
            self._listener.on_open()
        self._rest = self._handle_frames(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._listener.on_close(self._code)

    def send(self, text: bytes) -> None:
        self._write(TEXT, text)

    def close(self) -> None:
        """Close the connection with a closing handshake."""
        self._write(CLOSE, (1000).to_bytes(2))
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Abort the connection."""
        if self._transport is not None:
            self._transport.abort()

    def set_reading(self, is_on: bool) -> None:
        """Start or stop reading."""
        if self._transport is None or self._transport.is_closing():
            return
        if is_on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _handle_frames(self, data: bytes) -> bytes:
        """Handle the complete frames, and return the rest."""
        start = 0
        while (sized := _frame(data, start)) is not None:
            begin, end = sized
            self._handle(data[start], data[begin:end])
            start = end
        return data[start:]

    def _handle(self, opcode: int, content: bytes) -> None:
        if opcode == TEXT:
            self._listener.on_message(content)
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
    """Return the start and end of a frame's content; None if the frame is incomplete."""
    if len(data) - start < 2:
        return None
    size, begin = data[start + 1], start + 2
    if size == SHORT:
        size, begin = int.from_bytes(data[begin : begin + 2]), begin + 2
    elif size == MIDDLE:
        size, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
    return (begin, begin + size) if begin + size <= len(data) else None


async def connect(port: int, listener: Listener, *, small_buffer: bool) -> Socket:
    """Connect to an API process; raises OSError."""
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    raw.setblocking(False)
    if small_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    try:
        await loop.sock_connect(raw, ("127.0.0.1", port))
    except BaseException:
        raw.close()
        raise
    _, found = await loop.create_connection(lambda: Socket(listener), sock=raw)
    return found
