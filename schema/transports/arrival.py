"""Cuts off connections whose requests do not arrive: uvicorn itself waits for ever for a head."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimelyProtocol(HttpToolsProtocol):
    """Give each request, from its first byte to its last, so long to arrive."""

    arrival_timeout_s: float = 30.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort
        self._expect()

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
        """Say so where nothing else has been said, and close."""
        answering = getattr(self, "cycle", None)  # None before the first head
        if answering is None or answering.response_complete:
            self.transport.write(SLOW)
            self.transport.close()
        else:
            self.transport.abort()


def within(timeout_s: float) -> type[TimelyProtocol]:
    """Return the protocol with its timeout."""
    return type("TimelyProtocol", (TimelyProtocol,), {"arrival_timeout_s": timeout_s})
