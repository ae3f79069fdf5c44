"""Incomplete and malformed requests: their connections are closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.schema.conftest import RECEIVE_S, Running, make_settings, serve

SLOW = {"request_timeout_ms": 100}
HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
BODY = b'{"query":"{ hello }"}'
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@asynccontextmanager
async def _connected(
    running: Running,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        async with asyncio.timeout(RECEIVE_S):
            yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "part",
    [b"", b"P", HEAD, HEAD + b"x-a: 1", WHOLE[:-3], b"POST /healthz HTTP/1.1\r\ncontent-length: 9"],
)
async def test_incomplete_request_is_408_after_the_timeout(part: bytes) -> None:
    async with (
        serve(make_settings(**SLOW)) as running,
        _connected(running) as (reader, writer),
    ):
        writer.write(part)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_endless_head_is_closed_at_the_size_limit() -> None:
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        writer.write(HEAD)
        sent = 0
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x-a: " + b"x" * 8_000 + b"\r\n")
                await writer.drain()
                sent += 8_000
        assert sent < 10_000_000


async def test_large_body_in_the_same_packet_as_its_head_is_accepted() -> None:
    body = b'{"query":"{ hello }", "x": "%b"}' % (b"x" * 200_000)
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        for _ in range(2):
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"Hello world")
            await reader.readuntil(b"}}")


async def test_second_request_of_a_connection_has_the_same_timeout() -> None:
    async with (
        serve(make_settings(**SLOW)) as running,
        _connected(running) as (reader, writer),
    ):
        writer.write(WHOLE + HEAD)
        answers = await reader.read()
        assert answers.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1 408 " in answers


async def test_connection_is_closed_if_the_body_continues_after_its_response() -> None:
    async with (
        serve(make_settings(**SLOW)) as running,
        _connected(running) as (reader, writer),
    ):
        writer.write(b"PUT /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nx")
        assert (await reader.read()).startswith(b"HTTP/1.1 405 ")


async def test_response_stream_is_not_limited_by_the_request_timeout() -> None:
    document = b'{"query":"subscription { ticks }"}'
    async with (
        serve(make_settings(**SLOW, keep_alive_ms=100)) as running,
        _connected(running) as (reader, writer),
    ):
        head = HEAD + b"accept: text/event-stream\r\nauthorization: Bearer %b\r\n"
        writer.write(head % running.token().encode())
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(document), document))
        for _ in range(6):
            await reader.readuntil(b"\r\n:\n\n\r\n")


UPGRADE = b"upgrade: websocket\r\nconnection: upgrade\r\n"


@pytest.mark.parametrize("hosts", [0, 2])
@pytest.mark.parametrize("more", [b"", UPGRADE])
async def test_http_1_1_request_requires_exactly_one_host_header(hosts: int, more: bytes) -> None:
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        writer.write(b"GET /graphql HTTP/1.1\r\n" + b"host: x\r\n" * hosts + more + b"\r\n")
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"requires exactly one Host header, got %d." % hosts)


@pytest.mark.parametrize("second", [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_rejection_of_a_pipelined_request_is_not_sent_for_the_previous_one(
    second: bytes,
) -> None:
    endless = b'{"query":"{ endless }"}'
    first = HEAD + b"content-length: %d\r\n\r\n" % len(endless) + endless
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        writer.write(first + second)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_malformed_chunked_body_is_400() -> None:
    chunked = HEAD + b"transfer-encoding: chunked\r\n\r\nnonsense\r\n"
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        writer.write(chunked)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


async def test_http_1_0_request_requires_no_host_header() -> None:
    async with serve(make_settings()) as running, _connected(running) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
