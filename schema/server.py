"""Runs an application on uvicorn with the options that its transports count on."""

import signal
import socket

import uvicorn
from starlette.applications import Starlette

from ostinato.jobs.settings import Settings
from ostinato.schema.transports.arrival import within
from ostinato.schema.transports.wire import WireProtocol

BACKLOG = 2_048  # what uvicorn itself listens with
ARRIVAL = 2  # times as long as a request may run: our own endpoint answers 408 before that


class Server(uvicorn.Server):
    """A server that ends its application's streams when it stops: they are no running requests."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End sockets and streams first, then everything as uvicorn does."""
        await self._app.state.sockets.drain(0)
        await super().shutdown(sockets)


def server_of(app: Starlette, settings: Settings) -> uvicorn.Server:
    """Make a server; the sockets' own pings replace uvicorn's, which busy dead peers survive."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=within(ARRIVAL * settings.request_timeout_ms / 1_000),
        ws=WireProtocol,
        ws_max_size=settings.body_limit_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.idle_connection_ms / 1_000,  # type: ignore[arg-type] # a timer
        timeout_graceful_shutdown=max(1, settings.drain_timeout_ms // 1_000),
    )
    return Server(config, app)


def serve(app: Starlette, settings: Settings, listener: socket.socket) -> bool:
    """Serve until SIGTERM or Ctrl-C; True if the server started, and drained before it ended.

    Call from the main thread. Once uvicorn has drained it raises the signal anew: with the
    system's handler that would end the process as if it had been killed.
    """
    server = server_of(app, settings)

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    return server.started and not server.force_exit


def listen(settings: Settings) -> socket.socket:
    """Listen on the configured address; raises OSError when the port is taken.

    A peer that has stopped reading is dropped by the kernel once the send deadline has passed.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server(
        (settings.host, settings.port), family=family, backlog=BACKLOG, reuse_port=False
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, settings.send_timeout_ms)
    return listener
