"""A real server with the example schema, and clients for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import httpx
import orjson
import pytest
import pytest_asyncio
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ostinato.jobs.settings import Mode, Settings
from ostinato.resolvers.auth import issue_token
from ostinato.schema.server.uvicorn_protocols import RawFrameProtocol
from ostinato.schema.server.uvicorn_server import build_server
from ostinato.schema.transports.authentication import Authenticate
from tests.processes import TLS, eventually
from tests.schema.example import Probe, example_app

SECRET = "a-secret-for-the-transports-of-48-bytes-01234567"
TRANSPORT_WS = Subprotocol("graphql-transport-ws")
RECEIVE_S = 30.0

PLAIN: Final = "websockets-sansio"
"""uvicorn's own protocol, without raw frames."""
WebSockets: TypeAlias = type[RawFrameProtocol] | Literal["websockets-sansio"]
BOTH: Final[tuple[WebSockets, ...]] = (RawFrameProtocol, PLAIN)


def make_settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {"mode": Mode.TEST, "jwt_secret": SecretStr(SECRET), "port": 0}
    unlimited = {"operations_per_second": 0, "failed_tokens_per_second": 0}
    return Settings(**(values | unlimited | changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server under test."""

    port: int
    settings: Settings
    probe: Probe
    server: uvicorn.Server
    app: Starlette

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, sub: str = "ada", ttl_s: int = 60) -> str:
        return issue_token(self.settings, sub, ttl_s=ttl_s)

    def client(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.token()}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=RECEIVE_S, verify=TLS)

    @asynccontextmanager
    async def socket(self, *, path: str = "/graphql", **options: Any) -> AsyncIterator["Socket"]:
        """Open a WebSocket without initialising it."""
        options.setdefault("subprotocols", [TRANSPORT_WS])
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with connect(url, compression=None, proxy=None, **options) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def acknowledged(self, token: str | None = None) -> AsyncIterator["Socket"]:
        """Open a WebSocket and initialise it."""
        async with self.socket() as opened:
            await opened.init(token or self.token())
            yield opened


@dataclass(frozen=True, slots=True)
class Socket:
    """The client side of a WebSocket with JSON messages."""

    connection: ClientConnection

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        await self.connection.send(text)

    async def receive(self) -> Any:
        """Return the next message after answering pings."""
        while True:
            async with asyncio.timeout(RECEIVE_S):
                message = orjson.loads(await self.connection.recv())
            if message["type"] != "ping":
                return message
            await self.send({"type": "pong"})

    async def init(self, token: str) -> None:
        payload = {"Authorization": f"Bearer {token}"}
        await self.send({"type": "connection_init", "payload": payload})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, operation_id: str, query: str, **payload: object) -> None:
        message = {"id": operation_id, "type": "subscribe", "payload": {"query": query, **payload}}
        await self.send(message)

    async def closed(self) -> int | None:
        """Read to the end and return the close code."""
        try:
            async with asyncio.timeout(RECEIVE_S):
                while True:
                    await self.connection.recv()
        except ConnectionClosed:
            return self.connection.close_code


@asynccontextmanager
async def serve(
    settings: Settings,
    ws: WebSockets = RawFrameProtocol,
    authenticate: Authenticate | None = None,
) -> AsyncIterator[Running]:
    """Run a real server on a free port."""
    probe = Probe()
    listener = socket.create_server(("127.0.0.1", 0))
    app = example_app(settings, probe, authenticate)
    server = build_server(app, settings)
    if ws == PLAIN:
        server.config.ws = ws
    with listener:  # a server that is canceled does not close it
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            await eventually(lambda: server.started)
            port = listener.getsockname()[1]
            try:
                yield Running(port=port, settings=settings, probe=probe, server=server, app=app)
            finally:
                server.should_exit = True


@pytest.fixture(autouse=True)
def _no_exception_reaches_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [line for line in caplog.records if line.name == "uvicorn.error" and line.exc_info] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Running]:
    async with serve(make_settings()) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def running(shared: Running) -> AsyncIterator[Running]:
    """Return the module's server in its initial state."""
    shared.probe.reset()
    yield shared
    await eventually(lambda: shared.probe.open_streams == 0 and not shared.app.state.connections)
