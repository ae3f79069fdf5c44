"""Idle HTTP connections: proxies close them first, and a shutdown does not wait for them."""

import asyncio
from time import monotonic

import pytest

from tests.processes import eventually
from tests.schema.conftest import RECEIVE_S, Running, make_settings, serve

pytestmark = pytest.mark.audit("connections")

HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(query: str) -> bytes:
    body = b'{"query":"%b"}' % query.encode()
    return HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


async def open_connection(running: Running) -> Connection:
    """Open a connection, send a request, and read its response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    await send_request(reader, writer)
    return reader, writer


async def send_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(request("{ hello }"))
    async with asyncio.timeout(RECEIVE_S):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
    return head


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(RECEIVE_S):
        return await reader.read()


async def test_idle_connection_outlives_the_60_s_timeout_of_proxies() -> None:
    async with serve(make_settings()) as running:
        reader, writer = await open_connection(running)
        (connection,) = running.server.server_state.connections
        timer = connection.timeout_keep_alive_task  # type: ignore[union-attr]
        assert timer is not None
        assert timer.when() - asyncio.get_running_loop().time() > 70
        assert (await send_request(reader, writer)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_idle_connection_is_closed_after_the_configured_time() -> None:
    async with serve(make_settings(idle_connection_ms=100)) as running:
        reader, writer = await open_connection(running)
        assert await read_to_end(reader) == b""
        writer.close()


async def test_stopping_server_does_not_wait_for_idle_connections() -> None:
    async with serve(make_settings()) as running:
        connections = [await open_connection(running) for _ in range(20)]
        started_at = monotonic()
        running.server.should_exit = True
        assert [await read_to_end(reader) for reader, _ in connections] == [b""] * 20
    assert monotonic() - started_at < 30
    for _, writer in connections:
        writer.close()


async def test_response_in_progress_at_shutdown_closes_its_connection() -> None:
    async with serve(make_settings(request_timeout_ms=500)) as running:
        reader, writer = await open_connection(running)
        writer.write(request("mutation { stall }"))
        await eventually(lambda: running.probe.mutations == 1)
        running.server.should_exit = True
        assert b"connection: close" in (await read_to_end(reader)).lower()
        writer.close()
