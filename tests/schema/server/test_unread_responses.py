"""Clients that do not read their responses: their connections and memory are freed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ostinato.schema.server.uvicorn_protocols import RequestTimeoutProtocol
from tests.processes import eventually
from tests.schema.conftest import RECEIVE_S, Running, make_settings, serve

pytestmark = pytest.mark.audit("connections")

SIZE = 9_000_000  # more than the kernel's buffers of both sides
BODY = b'{"query":"{ large(size: %d) }"}' % SIZE
HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"%bcontent-length: %d\r\n\r\n%b"
CLOSE = b"connection: close\r\n"


@asynccontextmanager
async def _requested(running: Running, header: bytes = b"") -> AsyncIterator[socket.socket]:
    """Send the request on a connection that nothing reads."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", running.port))
        await loop.sock_sendall(client, REQUEST % (header, len(BODY), BODY))
        yield client


@pytest.mark.parametrize("header", [b"", CLOSE], ids=["kept open", "closing"])
async def test_response_that_is_not_read_is_aborted_after_the_send_timeout(header: bytes) -> None:
    async with (
        serve(make_settings(send_timeout_ms=200)) as running,
        _requested(running, header),
        _requested(running, header),
    ):
        connections = running.server.server_state.connections
        await eventually(lambda: len(connections) == 2)
        await eventually(lambda: not connections, within=RECEIVE_S)


async def test_connection_with_an_unread_response_is_aborted_when_it_is_closed_as_idle() -> None:
    settings = make_settings(send_timeout_ms=200, idle_connection_ms=100)
    async with serve(settings) as running, _requested(running):
        connections = running.server.server_state.connections
        await eventually(lambda: len(connections) == 1)
        await eventually(lambda: not connections, within=RECEIVE_S)


async def test_response_to_a_slow_client_is_not_aborted_while_it_reads() -> None:
    loop, received = asyncio.get_running_loop(), 0
    async with (
        serve(make_settings()) as running,
        _requested(running, CLOSE) as client,
        asyncio.timeout(4 * RECEIVE_S),
    ):
        while chunk := await loop.sock_recv(client, 65_536):
            received += len(chunk)
            if received // 1_000_000 > (received - len(chunk)) // 1_000_000:
                _end_send_timeouts(running)
    assert received > SIZE


def _end_send_timeouts(running: Running) -> None:
    for connection in running.server.server_state.connections:
        assert isinstance(connection, RequestTimeoutProtocol)
        connection.unread.check()
