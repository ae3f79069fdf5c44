"""Floods of WebSocket messages: others get their turns, and the flood ends at a limit."""

import asyncio
import base64
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET

import orjson
import pytest

from ostinato.schema.transports import channel
from tests.api.test_cost import Turns
from tests.processes import eventually
from tests.schema.conftest import RECEIVE_S, Running, Socket, make_settings, serve

pytestmark = pytest.mark.audit("floods of messages")

MAX_STRETCH_S = 0.01  # 3 ms; parsed at once, one read of these takes 12 to 95 ms
THREE = {"operations_per_second": 0.01, "operations_burst": 3}
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    f"sec-websocket-key: {base64.b64encode(bytes(16)).decode()}\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)
NATIVE_PING = b"\x89\x80\0\0\0\0"


def _frame(message: object) -> bytes:
    data = orjson.dumps(message)
    head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else b"\x81\xfe"
    length = b"" if len(data) < 126 else len(data).to_bytes(2, "big")
    return head + length + bytes(4) + data


def _subscribe(operation_id: str, query: str = "{ hello }") -> dict[str, object]:
    return {"id": operation_id, "type": "subscribe", "payload": {"query": query}}


def _complete(operation_id: str) -> dict[str, object]:
    return {"id": operation_id, "type": "complete"}


PING = {"type": "ping"}
PONG = {"type": "pong"}
INVALID_SUBSCRIBE = r'{"id":"x","type":"subscribe","payload":{"query":"\ud83d"}}'
FLOODS = {
    "ping": _frame(PING) * 12_000,
    "pong": _frame(PONG) * 12_000,
    "complete": _frame(_complete("x")) * 6_000,
    "subscribe and complete": (_frame(_subscribe("x")) + _frame(_complete("x"))) * 2_400,
    "ping frames": NATIVE_PING * 40_000,
}


@asynccontextmanager
async def _raw(
    running: Running,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open an initialised WebSocket whose frames the test neither parses nor masks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        async with asyncio.timeout(2 * RECEIVE_S):
            payload = {"Authorization": f"Bearer {running.token()}"}
            init = {"type": "connection_init", "payload": payload}
            writer.write(HANDSHAKE.encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_frame(init))
            await reader.readuntil(b'{"type":"connection_ack"}')
            yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_flood_of_messages_does_not_block_the_event_loop(flood: bytes) -> None:
    async with serve(make_settings()) as running, _raw(running) as (reader, writer):
        reading = asyncio.create_task(_read_until(reader, b'"last","type":"complete"'))
        turns = Turns(asyncio.get_running_loop())
        gc.disable()
        try:
            writer.write(flood + _frame(_subscribe("last")))
            await reading
        finally:
            gc.enable()
            turns.handle.cancel()
    assert turns.longest_s < MAX_STRETCH_S


async def _read_until(reader: asyncio.StreamReader, last: bytes) -> None:
    end = b""
    while last not in end:
        data = await reader.read(65_536)
        assert data, "closed"
        end = end[-len(last) :] + data


@pytest.mark.parametrize("message", [PING, PONG, _complete("x"), INVALID_SUBSCRIBE], ids=str)
async def test_messages_that_start_no_operation_count_for_the_rate(message: object) -> None:
    async with serve(make_settings(**THREE)) as running, running.acknowledged() as socket:
        await _send(socket, message, 100)
        assert await socket.closed() == 1013
        assert "too many operations" in (socket.connection.close_reason or "")


async def test_few_messages_that_start_no_operation_are_free() -> None:
    async with serve(make_settings(**THREE)) as running, running.acknowledged() as socket:
        for message in (PING, _complete("x")):
            await _send(socket, message, 4)
        for number in range(3):
            await socket.subscribe(str(number), "{ hello }")
        received = [(await socket.receive())["type"] for _ in range(4 + 6)]
    assert received.count("next") == 3


async def test_socket_closes_1013_after_many_operations_over_the_rate() -> None:
    async with serve(make_settings(**THREE)) as running, running.acknowledged() as socket:
        await _send(socket, _subscribe("x", "subscription { ticks }"), 1)
        for number in range(200):
            await _send(socket, _subscribe(str(number)), 1)
        assert await socket.closed() == 1013


async def test_pings_before_initialization_are_limited() -> None:
    async with serve(make_settings()) as running, running.socket() as socket:
        await _send(socket, PING, 100)
        assert await socket.closed() == 4401


async def _send(socket: Socket, message: object, times: int) -> None:
    for _ in range(times):
        await socket.send(message)


def _shrink_buffers(*transports: asyncio.BaseTransport) -> None:
    """Shrink the kernel's buffers: its own would take megabytes of pongs."""
    for transport in transports:
        for buffer in (SO_SNDBUF, SO_RCVBUF):
            transport.get_extra_info("socket").setsockopt(SOL_SOCKET, buffer, 4_096)


async def test_client_that_sends_ping_frames_and_does_not_read_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel, "CLOSE_TIMEOUT_S", 0.2)
    settings = make_settings(send_timeout_ms=200, keep_alive_ms=100)
    async with serve(settings) as running, running.acknowledged() as socket:
        connections = running.server.server_state.connections
        client = socket.connection.transport
        client.pause_reading()
        _shrink_buffers(client, *(connection.transport for connection in connections))
        try:
            client.write(NATIVE_PING * 400_000)
            await eventually(lambda: not connections)
        finally:
            client.abort()  # a regular close would wait for what it has not read


async def test_client_that_sends_ping_frames_after_the_close_is_closed() -> None:
    settings = make_settings(send_timeout_ms=200)
    async with serve(settings) as running, _raw(running) as (reader, writer):
        connections = running.server.server_state.connections
        writer.write(_frame({"type": "unknown"}))
        await _read_until(reader, b"unknown `type`")
        client = writer.transport
        assert isinstance(client, asyncio.Transport)
        client.pause_reading()
        _shrink_buffers(client, *(each.transport for each in connections))
        writer.write(NATIVE_PING * 400_000)
        try:
            await eventually(lambda: not connections)
        finally:
            client.abort()
