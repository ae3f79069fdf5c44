"""What one HTTP connection writes: responses in few system calls, and aborted if nobody reads."""

import asyncio
import fcntl
import struct
import termios
from contextlib import suppress

MIN_READ_BYTES = 65_536  # per send timeout; 10 s: 52 kbit/s, less than any mobile network


class UnreadResponse:
    """Aborts a connection whose client does not read what was written to it.

    A regular close waits until the client has read everything, possibly forever.
    """

    def __init__(self, transport: asyncio.Transport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._unread_bytes = 0

    def start(self) -> None:
        """Abort unless the client reads `MIN_READ_BYTES`, or everything, per timeout."""
        if self._timer is None and self._transport.get_write_buffer_size():
            self._schedule(_count_unread_bytes(self._transport))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, unread_bytes: int) -> None:
        self._unread_bytes = unread_bytes
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._timeout_s, self.check)

    def check(self) -> None:
        """Abort if the client has read too little since the last check."""
        self.stop()
        if not self._transport.get_write_buffer_size():
            return
        unread_bytes = _count_unread_bytes(self._transport)
        if unread_bytes > self._unread_bytes - MIN_READ_BYTES:
            self._transport.abort()
        else:
            self._schedule(unread_bytes)


def _count_unread_bytes(transport: asyncio.Transport) -> int:
    """Return the bytes that the client has not acknowledged.

    The kernel accepts new bytes only after it has freed a third of its buffer, which can hold
    megabytes, so a slow client would seem to read nothing if these were not counted.
    """
    queued = bytearray(4)
    with suppress(OSError):  # not supported for this socket: count this process's buffer only
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + int(struct.unpack("i", queued)[0])


class ResponseWriter:
    """Writes the head of a response together with the start of its body, if that follows at once.

    uvicorn writes them separately: two system calls, and the client wakes up twice.
    """

    __slots__ = ("_head", "_is_first", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._is_first = True
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._is_first:
            self._is_first = False
            self._head = data
            self._loop.call_soon(self._flush)
        elif self._head is None:
            self._transport.write(data)
        else:
            joined, self._head = self._head + data, None
            self._transport.write(joined)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)
