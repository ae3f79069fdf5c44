"""A TCP proxy in front of a server, whose connections a test can cut or stall."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536


class Proxy:
    """Forwards to a port of this host."""

    def __init__(self, target: int) -> None:
        self.url = ""
        self.forwarded_chunks = 0
        """The number of chunks received for forwarding, in either direction."""
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._accepted: set[asyncio.Task[None] | None] = set()
        self._flows = _flowing()
        self._blackholed: list[asyncio.Event] = []
        self._rejects = False

    def cut(self) -> None:
        """Close all connections, and new ones immediately."""
        self._rejects = True
        for writer in self._writers:
            writer.close()

    def stall(self) -> None:
        """Forward no bytes, like a stopped server."""
        self._flows.clear()

    def blackhole_open_connections(self) -> None:
        """Stall the open connections without closing them; new connections work."""
        self._flows.clear()
        self._blackholed.append(self._flows)
        self._flows = _flowing()

    def heal(self) -> None:
        self._rejects = False
        for flows in (self._flows, *self._blackholed):
            flows.set()

    async def close(self) -> None:
        """Close all connections, and wait until they are closed."""
        self.heal()
        self.cut()
        await asyncio.gather(*filter(None, self._accepted), return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted.add(asyncio.current_task())
        if self._rejects:
            writer.close()
            await writer.wait_closed()
            return
        flows = self._flows
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(
            self._pump(reader, upstream_writer, flows), self._pump(upstream_reader, writer, flows)
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event
    ) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                self.forwarded_chunks += 1
                await flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self._writers.discard(writer)


def _flowing() -> asyncio.Event:
    flows = asyncio.Event()
    flows.set()
    return flows


@asynccontextmanager
async def proxied(url: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Open a proxy for the server of a URL; `proxy.url` is its own URL.

    With `tls`, clients connect to it over TLS.
    """
    target = urlsplit(url).port
    assert target is not None
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, ssl=tls)
    proxy.url = url.replace(f":{target}/", f":{server.sockets[0].getsockname()[1]}/")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
