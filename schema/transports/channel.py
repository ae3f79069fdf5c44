"""Moves the protocol's messages over one socket: every send has a deadline, every size a bound."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.jobs.settings import Settings
from ostinato.schema.transports.frames import EXTENSION, FrameWriter, text_frame
from ostinato.schema.transports.protocol import BadMessage, ClientMessage, CloseCode, parse_message
from ostinato.schema.transports.sockets import SocketClosing
from ostinato.schema.transports.started import started

CLOSE_TIMEOUT_S = 5.0  # a client that has stopped reading gets this long to read why
MAX_REASON_BYTES = 123  # RFC 6455, 5.5: a control frame holds 125 bytes, two are the code


class Channel:
    """An accepted socket. One task receives; any task may send."""

    def __init__(self, websocket: WebSocket, settings: Settings) -> None:
        self._websocket = websocket
        extensions = websocket.scope.get("extensions") or {}
        self._writer: FrameWriter | None = extensions.get(EXTENSION)
        self._max_chars = settings.body_limit_bytes
        self._max_id_chars = settings.max_operation_id_chars
        self._send_timeout_s = settings.send_timeout_ms / 1_000

    async def receive(self) -> ClientMessage:
        """Return the next message; raises SocketClosing for what the protocol does not allow."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise SocketClosing(None)
        text = message.get("text")
        if text is None:
            raise SocketClosing(
                CloseCode.INVALID_MESSAGE, "Message is not text: send JSON as a text frame"
            )
        if len(text) > self._max_chars:
            reason = f"Message has more than {self._max_chars} characters: send less at once"
            raise SocketClosing(CloseCode.MESSAGE_TOO_BIG, reason)
        try:
            return parse_message(text, self._max_id_chars)
        except BadMessage as error:
            raise SocketClosing(CloseCode.INVALID_MESSAGE, str(error)) from None

    def push(self, frames: bytes) -> bool:
        """Write whole frames at once; False if the server cannot, or its client does not read."""
        return self._writer is not None and self._writer.write(frames)

    async def send(self, message: bytes) -> None:
        """Write a message; raises SocketClosing when the client is gone or has stopped reading."""
        if self._writer is not None and self._writer.write(text_frame(message)):
            return
        text = {"type": "websocket.send", "text": message.decode()}
        try:
            if (sending := started(self._websocket.send(text))) is not None:
                async with asyncio.timeout(self._send_timeout_s):
                    await sending
        except TimeoutError:
            reason = "Client reads too slowly: read faster, and resume by `after`"
            raise SocketClosing(CloseCode.TRY_AGAIN_LATER, reason) from None
        except (WebSocketDisconnect, RuntimeError):  # the server below has closed already
            raise SocketClosing(None) from None

    async def close(self, closing: SocketClosing) -> None:
        """Say why and close, unless the client has left or does not read that either."""
        if closing.code is None:
            return
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._websocket.close(closing.code, _shortened(closing.reason))


def _shortened(reason: str) -> str:
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
