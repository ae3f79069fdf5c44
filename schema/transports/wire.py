"""uvicorn's WebSockets, which also let the application write frames that it made itself."""

from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ostinato.schema.transports.frames import EXTENSION


class WireProtocol(WebSocketsSansIOProtocol):
    """One socket; the application finds it as the FrameWriter of its scope."""

    async def run_asgi(self) -> None:
        extensions = cast("dict[str, object]", self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    async def send(self, event: ASGISendEvent) -> None:
        await super().send(event)
        if event["type"] == "websocket.http.response.body" and self.close_sent:
            # Refused with an answer of its own; else uvicorn logs that nothing was answered.
            self.handshake_complete = True

    def write(self, frames: bytes) -> bool:
        """Write whole frames and return True; do nothing if the peer is gone or does not read."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True
