"""Extended uvicorn protocols: limits for requests and responses, and raw WebSocket frames."""

import asyncio
import sys
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ostinato.schema.fanout.frames import EXTENSION
from ostinato.schema.server.idle_connections import IdleConnections
from ostinato.schema.server.response_writing import ResponseWriter, UnreadResponse

MAX_HEAD_BYTES = 65_536  # in addition to the first read: a few thousand headers
PARSED_BYTES = 2_048  # about 100 of the smallest messages
MAX_PARSING_S = 0.002  # of one connection in one turn of the event loop
SERVICE_UNAVAILABLE = b"503 Service Unavailable\r\nretry-after: 1"
REQUEST_TIMEOUT = b"408 Request Timeout"
HEADERS_TOO_LARGE = b"431 Request Header Fields Too Large"
EMPTY_RESPONSE = b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class InvalidHostHeader(Exception):
    """An HTTP/1.1 request without exactly one `Host` header (RFC 9112, 3.2)."""

    def __init__(self, hosts: int) -> None:
        super().__init__(f"HTTP/1.1 requires exactly one Host header, got {hosts}.")


class RequestTimeoutProtocol(HttpToolsProtocol):
    """Closes connections whose client is too slow: in sending a request, or reading a response.

    A request must arrive completely within `arrival_timeout_s`; see UnreadResponse for
    `send_timeout_s`.
    """

    arrival_timeout_s: float
    send_timeout_s: float
    idle: IdleConnections
    unread: UnreadResponse
    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.unread = UnreadResponse(transport, self.send_timeout_s)
        self._counted_address = self.idle.counted_address(_host(self.client))
        if self.idle.admit(len(self.connections)):
            self.idle.add(self, self._counted_address)
            self._start_timer()
        else:
            self._reject(SERVICE_UNAVAILABLE)

    def abort(self) -> None:
        """Close at once, without waiting for the client."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._reject(HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self.scope["state"]["abort"] = self.transport.abort
        self._start_timer()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.get_http_version() == "1.1":
            hosts = sum(name == b"host" for name, _ in self.headers)
            if hosts != 1:
                raise InvalidHostHeader(hosts)  # the parser stops, and uvicorn responds with 400
        before = getattr(self, "cycle", None)
        super().on_headers_complete()
        if self.cycle is not before:  # not for the upgrade to a WebSocket
            writer = ResponseWriter(self.transport, self.loop)
            self.cycle.transport = writer  # type: ignore[assignment]  # it calls no other method

    def send_400_response(self, msg: str) -> None:
        """Respond to a malformed request and close; abort if an earlier response is in progress."""
        cycle = getattr(self, "cycle", None)
        has_arrived = cycle is not None and (cycle.response_started or not cycle.more_body)
        if has_arrived and self._is_responding():
            self.transport.abort()
            return
        error = sys.exception()
        if error is not None and isinstance(error.__context__, InvalidHostHeader):
            msg = str(error.__context__)
        super().send_400_response(msg)
        self.unread.start()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_timer()
        if self._is_responding():
            self.idle.remove(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self.unread.start()
        elif self._counted_address is not None and not self._is_responding():
            # Not those of a proxy, which may send its next request at this moment.
            self.idle.add(self, self._counted_address)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.unread.stop()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.unread.start()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self.unread.start()

    def handle_websocket_upgrade(self) -> None:
        self.idle.remove(self)
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.unread.stop()
        self.idle.remove(self)
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._deadline = self.loop.call_later(self.arrival_timeout_s, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_timeout(self) -> None:
        self._reject(REQUEST_TIMEOUT)

    def _reject(self, status: bytes) -> None:
        """Respond with the status and close; abort if another response is in progress."""
        if self._is_responding():
            self.transport.abort()
        else:
            self.transport.write(EMPTY_RESPONSE % status)
            self.transport.close()
            self.unread.start()

    def _is_responding(self) -> bool:
        cycle = getattr(self, "cycle", None)  # None before the first request
        return cycle is not None and not cycle.response_complete


def _host(client: tuple[str, int] | None) -> str:
    return client[0] if client else ""


def http_protocol(
    arrival_timeout_s: float, send_timeout_s: float, idle: IdleConnections
) -> type[RequestTimeoutProtocol]:
    """Return a subclass with the timeouts and the limits."""
    attributes = {
        "arrival_timeout_s": arrival_timeout_s,
        "send_timeout_s": send_timeout_s,
        "idle": idle,
    }
    return type("RequestTimeoutProtocol", (RequestTimeoutProtocol,), attributes)


def websocket_protocol(send_timeout_s: float, idle: IdleConnections) -> "type[RawFrameProtocol]":
    """Return a subclass with the timeout and the limits."""
    attributes = {"send_timeout_s": send_timeout_s, "idle": idle}
    return type("RawFrameProtocol", (RawFrameProtocol,), attributes)


class RawFrameProtocol(WebSocketsSansIOProtocol):
    """The server side of a WebSocket; also the FrameWriter in its ASGI scope.

    One read can contain thousands of frames, so they are parsed in slices: a slice starts once the
    application has received the messages of the last one, and the client reads what it is sent.
    """

    send_timeout_s: float
    idle: IdleConnections
    unread: UnreadResponse
    _parsing: asyncio.Handle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unparsed = bytearray()
        self.unread = UnreadResponse(transport, self.send_timeout_s)
        self.idle.add(self, self.idle.counted_address(_host(self.client)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._unparsed.clear()
        self.unread.stop()
        self.idle.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        if self._parsing is None:
            self._parse()

    def _parse(self) -> None:
        self._parsing = None
        ends_at = self.loop.time() + MAX_PARSING_S
        while self._unparsed and self._may_parse() and self.loop.time() < ends_at:
            data = bytes(self._unparsed[:PARSED_BYTES])
            del self._unparsed[:PARSED_BYTES]
            super().data_received(data)
        if self._unparsed:
            self.read_paused = True
            self.transport.pause_reading()
        self._continue()

    def _may_parse(self) -> bool:
        if self.transport.is_closing() or not self.writable.is_set():
            return False
        return self.close_sent or self.queue.empty()

    def _continue(self) -> None:
        """Parse the next slice in a later turn, or read again, unless something is waited for."""
        if self._parsing is not None or not self._may_parse():
            return
        if self._unparsed:
            self._parsing = self.loop.call_soon(self._parse)
        elif self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        self._continue()
        return message

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.close_sent:  # before the close, each send has a timeout
            self.unread.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._continue()

    def abort(self) -> None:
        """Close at once, without waiting for the client."""
        self.transport.abort()

    def accept_client(self) -> None:
        """Exempt the connection from these limits: its client has sent a valid token."""
        self.idle.remove(self)

    async def run_asgi(self) -> None:
        extensions = cast("dict[str, object]", self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()
        self.unread.start()

    async def send(self, event: ASGISendEvent) -> None:
        await super().send(event)
        if event["type"] == "websocket.http.response.body" and self.close_sent:
            # After a denial response; otherwise uvicorn logs that no response was sent.
            self.handshake_complete = True
        if event["type"] == "websocket.close":
            if self.close_timer is not None:
                self.close_timer.cancel()
                self.close_timer = self.loop.call_later(self.close_timeout, self._end_closing)
            self._continue()  # to the client's close frame

    def _end_closing(self) -> None:
        """Close although the client has not replied to the close frame."""
        self.transport.close()
        self.unread.start()

    def write(self, frames: bytes) -> bool:
        """Write whole frames and return True; return False if the peer is gone or not reading."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True
