"""Refuses requests that do not arrive, or name no host: uvicorn takes heads of any age and size."""

import asyncio
import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # beyond what is read at once: some thousand headers
SLOW = b"408 Request Timeout"
LARGE = b"431 Request Header Fields Too Large"
ANSWER = b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WrongHost(Exception):
    """A request of HTTP/1.1 without the one `Host` header that it must have (RFC 9112, 3.2)."""

    def __init__(self, hosts: int) -> None:
        super().__init__(f"HTTP/1.1 needs one Host header, this request has {hosts}.")


class TimelyProtocol(HttpToolsProtocol):
    """Give each request, from its first byte to its last, so long to arrive."""

    arrival_timeout_s: float = 30.0
    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self.scope["state"]["abort"] = self.transport.abort
        self._expect()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.get_http_version() == "1.1":
            hosts = sum(name == b"host" for name, _ in self.headers)
            if hosts != 1:
                raise WrongHost(hosts)  # the parser stops, and uvicorn answers 400
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused, and close; it is no answer to a request before it."""
        before = getattr(self, "cycle", None)
        has_arrived = before is not None and (before.response_started or not before.more_body)
        if has_arrived and self._is_answering():
            self.transport.abort()
            return
        error = sys.exception()
        if error is not None and isinstance(error.__context__, WrongHost):
            msg = str(error.__context__)
        super().send_400_response(msg)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._relax()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._relax()
        self._deadline = self.loop.call_later(self.arrival_timeout_s, self._cut_off)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut_off(self) -> None:
        self._refuse(SLOW)

    def _refuse(self, status: bytes) -> None:
        """Say why where nothing else is being said, and close."""
        if self._is_answering():
            self.transport.abort()
        else:
            self.transport.write(ANSWER % status)
            self.transport.close()

    def _is_answering(self) -> bool:
        answering = getattr(self, "cycle", None)  # None before the first head
        return answering is not None and not answering.response_complete


def within(timeout_s: float) -> type[TimelyProtocol]:
    """Return the protocol with its timeout."""
    return type("TimelyProtocol", (TimelyProtocol,), {"arrival_timeout_s": timeout_s})
