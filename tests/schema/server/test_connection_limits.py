"""Idle connections cannot take all file descriptors from clients that use theirs."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from ostinato.cli import raise_open_file_limit
from ostinato.schema.server.idle_connections import UNLIMITED, max_connections
from tests.processes import TLS, ApiProcess, Processes, eventually
from tests.schema.conftest import RECEIVE_S, TRANSPORT_WS, Running, Socket, make_settings, serve
from tests.schema.server.test_idle_connections import (
    Connection,
    open_connection,
    read_to_end,
    send_request,
)
from tests.schema.streams import SSE, streamed

pytestmark = pytest.mark.audit("connections")

TWO = {"max_idle_connections_per_address": 2}
VIEWER = "{ viewer { id } }"


async def connected(running: Running | ApiProcess) -> Connection:
    """Open a connection without sending anything."""
    port = running.port if isinstance(running, Running) else running.settings.port
    return await asyncio.open_connection("127.0.0.1", port)


async def is_closed(connection: Connection) -> bool:
    reader, writer = connection
    try:
        return await read_to_end(reader) == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


async def test_oldest_connection_without_a_request_is_closed_beyond_the_limit() -> None:
    async with serve(make_settings(**TWO)) as running:
        connections = [await connected(running) for _ in range(4)]
        assert [await is_closed(each) for each in connections[:2]] == [True, True]
        for reader, writer in connections[2:]:
            assert (await send_request(reader, writer)).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_oldest_connection_after_its_response_is_closed_beyond_the_limit() -> None:
    async with serve(make_settings(**TWO)) as running:
        first = await open_connection(running)
        second = await open_connection(running)
        await send_request(*first)  # now the second is the oldest
        third = await open_connection(running)
        assert await is_closed(second)
        assert (await send_request(*first)).startswith(b"HTTP/1.1 200")
        for _, writer in (first, third):
            writer.close()


@pytest.mark.parametrize("part", [b"POST", b"POST /graphql HTTP/1.1\r\nhost: x\r\n"])
async def test_incomplete_request_counts_as_idle(part: bytes) -> None:
    async with serve(make_settings(**TWO)) as running:
        oldest = await connected(running)
        oldest[1].write(part)
        others = [await open_connection(running) for _ in range(2)]
        assert await is_closed(oldest)
        for _, writer in others:
            writer.close()


async def test_streams_and_running_requests_are_not_idle() -> None:
    async with serve(make_settings(**TWO)) as running:
        async with streamed(running, "subscription { ticks }", SSE) as stream:
            await stream.next()
            others = [await open_connection(running) for _ in range(5)]
            await running.probe.publish()
            await stream.next()
        for _, writer in others:
            writer.close()


async def test_sockets_count_until_their_token_is_accepted() -> None:
    settings = make_settings(**TWO, connection_init_timeout_ms=60_000)
    async with serve(settings) as running, AsyncExitStack() as stack:
        accepted = [await stack.enter_async_context(running.acknowledged()) for _ in range(4)]
        waiting = [await stack.enter_async_context(running.socket()) for _ in range(3)]
        assert await waiting[0].closed() == 1006
        for socket in accepted:
            await socket.subscribe("1", "{ hello }")
            assert (await socket.receive())["type"] == "next"
        await waiting[2].init(running.token())


async def test_idle_connections_of_a_trusted_proxy_are_kept() -> None:
    settings = make_settings(**TWO, trusted_proxies=("127.0.0.1",))
    async with serve(settings) as running:
        connections = [await open_connection(running) for _ in range(5)]
        for reader, writer in connections:
            assert (await send_request(reader, writer)).startswith(b"HTTP/1.1 200")
            writer.close()


@asynccontextmanager
async def signed_in(api: ApiProcess, user: str) -> AsyncIterator[Socket]:
    async with connect(api.ws_url, subprotocols=[TRANSPORT_WS], proxy=None) as connection:
        socket = Socket(connection)
        await socket.init(api.token(user))
        yield socket


async def ask(socket: Socket, operation_id: str) -> object:
    await socket.subscribe(operation_id, VIEWER)
    message = await socket.receive()
    assert (await socket.receive())["type"] == "complete"
    return message["payload"]["data"]["viewer"]["id"]


@pytest.mark.parametrize("per_address", [250, 100_000])
async def test_1100_idle_connections_shut_nobody_out(
    processes: Processes, per_address: int
) -> None:
    api = await processes.api_with_open_files(1_024, max_idle_connections_per_address=per_address)
    async with signed_in(api, "ann") as before:
        idle = await asyncio.gather(*(connected(api) for _ in range(1_100)))
        assert await ask(before, "1") == "ann"
        async with signed_in(api, "bob") as after:
            assert await ask(after, "1") == "bob"
        async with httpx.AsyncClient(verify=TLS, timeout=RECEIVE_S) as client:
            assert (await client.get(f"{api.url}/readyz")).is_success
        for _, writer in idle:
            writer.transport.abort()


async def test_connection_beyond_the_limit_of_open_files_is_503_if_none_is_idle(
    processes: Processes,
) -> None:
    api = await processes.api_with_open_files(256, max_sockets_per_user=1_000)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(signed_in(api, "ann")) for _ in range(192)]
        reader, writer = await connected(api)
        rejected = await read_to_end(reader)
        writer.close()
        assert rejected.startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n")
        assert await ask(sockets[0], "1") == "ann"


@pytest.mark.parametrize(
    ("open_files", "connections"),
    [(256, 192), (1_024, 768), (524_288, 524_032), (resource.RLIM_INFINITY, UNLIMITED)],
)
def test_a_quarter_of_the_open_files_and_at_most_256_are_reserved(
    open_files: int, connections: int
) -> None:
    assert max_connections(open_files) == connections


def test_soft_limit_of_open_files_is_raised_to_the_hard_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    try:
        raise_open_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_closed_connections_leave_nothing_behind() -> None:
    async with serve(make_settings()) as running:
        idle = running.server.config.http.idle  # type: ignore[union-attr]
        _, writer = await open_connection(running)
        async with running.socket(), running.acknowledged():
            assert len(idle) == 2
        writer.close()
        await eventually(lambda: len(idle) == 0)
