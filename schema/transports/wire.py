"""uvicorn's WebSocket protocol, extended so that the application can write raw frames."""

from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ostinato.schema.transports.frames import EXTENSION


class RawFrameProtocol(WebSocketsSansIOProtocol):
    """The server side of a WebSocket, and the FrameWriter in its ASGI scope."""

    async def run_asgi(self) -> None:
        extensions = cast("dict[str, object]", self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    async def send(self, event: ASGISendEvent) -> None:
        await super().send(event)
        if event["type"] == "websocket.http.response.body" and self.close_sent:
            # The application sent a denial response; otherwise uvicorn logs that it sent none.
            self.handshake_complete = True

    def write(self, frames: bytes) -> bool:
        """Write whole frames and return True; return False if the peer is gone or not reading."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True
