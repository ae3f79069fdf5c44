"""Protocol messages over a WebSocket, with a send timeout and a size limit."""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import suppress
from functools import partial
from types import coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.jobs.settings import Settings
from ostinato.schema.fanout.frames import EXTENSION, FrameWriter, text_frame
from ostinato.schema.transports.connections import ConnectionClosing
from ostinato.schema.transports.graphql_ws import (
    ClientMessage,
    CloseCode,
    InvalidMessage,
    parse_message,
)

CLOSE_TIMEOUT_S = 5.0  # time for the client to receive the close frame
MAX_REASON_BYTES = 123  # RFC 6455, 5.5: a control frame has 125 bytes; the code takes 2


class Channel:
    """An accepted WebSocket. A single task may receive; any task may send."""

    def __init__(self, websocket: WebSocket, settings: Settings) -> None:
        self._websocket = websocket
        self.client = websocket.client
        extensions = websocket.scope.get("extensions") or {}
        self._writer: FrameWriter | None = extensions.get(EXTENSION)
        self._max_chars = settings.body_limit_bytes
        self._max_id_chars = settings.max_operation_id_chars
        self._send_timeout_s = settings.send_timeout_ms / 1_000

    async def receive(self) -> ClientMessage:
        """Return the next message; raises ConnectionClosing on invalid messages and disconnects."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionClosing(None)
        text = message.get("text")
        if text is None:
            raise ConnectionClosing(
                CloseCode.INVALID_MESSAGE, "Message is not text: send JSON in a text frame"
            )
        if len(text) > self._max_chars:
            reason = f"Message has more than {self._max_chars} characters: send smaller messages"
            raise ConnectionClosing(CloseCode.MESSAGE_TOO_BIG, reason)
        try:
            return parse_message(text, self._max_id_chars)
        except InvalidMessage as error:
            raise ConnectionClosing(CloseCode.INVALID_MESSAGE, str(error)) from None

    def accept_client(self) -> None:
        """Exempt the socket from the limits of idle connections."""
        if self._writer is not None:
            self._writer.accept_client()

    def push(self, frames: bytes) -> bool:
        """Write whole frames without waiting; False if the socket is not writable."""
        return self._writer is not None and self._writer.write(frames)

    async def send(self, message: bytes) -> None:
        """Send a message; raises ConnectionClosing if the client is gone or has stopped reading."""
        if self._writer is not None and self._writer.write(text_frame(message)):
            return
        text = {"type": "websocket.send", "text": message.decode()}
        try:
            await self._send_in_time(self._websocket.send(text))
        except TimeoutError:
            reason = "Client reads too slowly: read faster, and resume with `after`"
            raise ConnectionClosing(CloseCode.TRY_AGAIN_LATER, reason) from None
        except (WebSocketDisconnect, RuntimeError):  # uvicorn has already closed the connection
            raise ConnectionClosing(None) from None

    async def _send_in_time(self, sending: Coroutine[Any, Any, None]) -> None:
        """Await `sending`; raises TimeoutError.

        Most sends end without waiting. They are run without a timeout, which costs more than they.
        """
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        async with asyncio.timeout(self._send_timeout_s):
            await _run_on(sending, waits_for)

    async def close(self, closing: ConnectionClosing) -> None:
        """Close with the code and reason, unless the client has disconnected."""
        if closing.code is None:
            return
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._websocket.close(closing.code, _shortened(closing.reason))


@coroutine
def _run_on(started: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Run the rest of a coroutine of the current task that waits for the future `waits_for`."""
    while True:
        try:
            result = yield waits_for
        except BaseException as error:
            resume = partial(started.throw, error)
        else:
            resume = partial(started.send, result)
        try:
            waits_for = resume()
        except StopIteration:
            return


def _shortened(reason: str) -> str:
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
