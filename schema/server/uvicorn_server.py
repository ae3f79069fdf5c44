"""The uvicorn server, with the options that the transports require."""

import signal
import socket

import uvicorn
from starlette.applications import Starlette

from ostinato.jobs.logs import get_log
from ostinato.jobs.settings import Settings
from ostinato.schema.server.idle_connections import IdleConnections
from ostinato.schema.server.uvicorn_protocols import http_protocol, websocket_protocol

BACKLOG = 2_048  # uvicorn's own default
ARRIVAL_TIMEOUT_FACTOR = 2  # so that the HTTP endpoint's own 408, which has a body, comes first

log = get_log(__name__)


class DrainingServer(uvicorn.Server):
    """A uvicorn server that closes open streams on shutdown instead of waiting for them."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start uvicorn, then log the address: uvicorn logs none for a socket that it is given."""
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("api.serving", url=_url(*listener.getsockname()[:2]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close WebSockets and streams, then shut down uvicorn."""
        await self._app.state.connections.drain(0)
        await super().shutdown(sockets)


def build_server(app: Starlette, settings: Settings) -> uvicorn.Server:
    """Build the server, without uvicorn's pings: the WebSocket endpoint sends its own."""
    idle = IdleConnections.of(settings)
    send_timeout_s = settings.send_timeout_ms / 1_000
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=http_protocol(
            ARRIVAL_TIMEOUT_FACTOR * settings.request_timeout_ms / 1_000,
            send_timeout_s,
            idle,
        ),
        ws=websocket_protocol(send_timeout_s, idle),
        ws_max_size=settings.body_limit_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.idle_connection_ms / 1_000,  # type: ignore[arg-type] # used as a timer delay
        timeout_graceful_shutdown=max(1, settings.drain_timeout_ms // 1_000),
    )
    return DrainingServer(config, app)


def serve(app: Starlette, settings: Settings, listener: socket.socket) -> bool:
    """Serve until SIGTERM or Ctrl-C; return whether the server started and drained completely.

    Call from the main thread. uvicorn re-raises the signal after draining; with the default
    handler, the process would then exit as if killed.
    """
    server = build_server(app, settings)

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    return server.started and not server.force_exit


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def listen(settings: Settings) -> socket.socket:
    """Listen on the configured address; raises OSError if the port is in use.

    The kernel drops a peer that does not acknowledge data within the send timeout.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server(
        (settings.host, settings.port), family=family, backlog=BACKLOG, reuse_port=False
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, settings.send_timeout_ms)
    return listener
