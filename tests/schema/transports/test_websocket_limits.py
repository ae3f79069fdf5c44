"""Limits for WebSocket clients that request too much, read too slowly or disappear."""

from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.processes import eventually
from tests.schema.conftest import BOTH, Running, WebSockets, make_settings, serve

pytestmark = pytest.mark.audit("floods of messages")


async def test_operation_over_the_limit_of_a_socket_is_too_many_requests() -> None:
    async with (
        serve(make_settings(max_operations_per_socket=1)) as running,
        running.acknowledged() as socket,
    ):
        await socket.subscribe("1", "subscription { ticks }")
        await socket.receive()
        await socket.subscribe("2", "{ hello }")
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("2", "error")
        extensions = message["payload"][0]["extensions"]
        assert extensions == {"code": "TOO_MANY_REQUESTS", "retryAfterMs": 1_000}
        await running.probe.publish()
        assert (await socket.receive())["id"] == "1"


async def test_socket_over_the_limit_of_a_user_closes_1013_and_others_are_accepted() -> None:
    async with serve(make_settings(max_sockets_per_user=1)) as running:
        async with running.acknowledged(running.token("ada")), running.socket() as second:
            payload = {"Authorization": f"Bearer {running.token('ada')}"}
            await second.send({"type": "connection_init", "payload": payload})
            assert await second.closed() == 1013
            async with running.acknowledged(running.token("bob")):
                pass
        await eventually(lambda: _can_connect(running))


async def _can_connect(running: Running) -> bool:
    async with running.socket() as socket:
        payload = {"Authorization": f"Bearer {running.token('ada')}"}
        await socket.send({"type": "connection_init", "payload": payload})
        return bool(await socket.connection.recv())


@pytest.mark.parametrize("size", [2_000, 500_000])
async def test_message_over_the_limit_closes_1009(size: int) -> None:
    async with (
        serve(make_settings(body_limit_bytes=1_024)) as running,
        running.acknowledged() as socket,
    ):
        await socket.subscribe("1", "{ hello }", variables={"x": "x" * size})
        assert await socket.closed() == 1009


async def test_quiet_client_is_pinged_and_stays_connected_if_it_answers() -> None:
    async with serve(make_settings(keep_alive_ms=100)) as running, running.acknowledged() as socket:
        for _ in range(3):
            assert await socket.connection.recv() == '{"type":"ping"}'
            await socket.send({"type": "pong"})


async def test_client_that_does_not_answer_a_ping_is_closed_with_1013() -> None:
    async with serve(make_settings(keep_alive_ms=100)) as running, running.acknowledged() as socket:
        assert await socket.closed() == 1013


@pytest.mark.parametrize("ws", BOTH)
async def test_client_that_stops_reading_is_closed_with_1013_and_removed(ws: WebSockets) -> None:
    async with (
        serve(make_settings(send_timeout_ms=200), ws) as running,
        running.acknowledged() as socket,
    ):
        await socket.subscribe("ticks", "subscription { ticks }")
        await socket.subscribe("flood", "subscription { flood(size: 100000) }")
        socket.connection.transport.pause_reading()
        await eventually(lambda: running.probe.open_streams == 1)
        await eventually(lambda: running.probe.open_streams == 0)
        socket.connection.transport.resume_reading()
        assert await socket.closed() == 1013


@pytest.mark.parametrize("ws", BOTH)
async def test_results_that_wait_for_the_client_to_read_arrive(ws: WebSockets) -> None:
    size = 500_000  # more than the socket's buffer: each send waits
    async with serve(make_settings(), ws) as running, running.acknowledged() as socket:
        await socket.subscribe("flood", f"subscription {{ flood(size: {size}) }}")
        for _ in range(20):
            assert (await socket.receive())["payload"] == {"data": {"flood": "x" * size}}


async def test_stopping_server_closes_sockets_with_1012() -> None:
    async with serve(make_settings()) as running, running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { ticks }")
        await socket.receive()
        running.server.should_exit = True
        assert await socket.closed() == 1012
        await eventually(lambda: running.probe.open_streams == 0)


async def test_stopping_server_closes_sockets_that_are_still_initializing() -> None:
    async with serve(make_settings()) as running, running.socket() as socket:
        running.server.should_exit = True
        assert await socket.closed() == 1012


async def test_draining_server_closes_sockets_with_1012_and_rejects_new_ones() -> None:
    async with (
        serve(make_settings()) as running,
        running.acknowledged() as old,
        running.socket() as initialising,
    ):
        await old.subscribe("1", "subscription { ticks }")
        await old.receive()
        await running.app.state.connections.drain(5)
        assert running.probe.open_streams == 0
        assert len(running.app.state.connections) == 0
        assert (await old.closed(), await initialising.closed()) == (1012, 1012)
        async with running.socket() as new:
            assert await new.closed() == 1012


async def test_mutation_interrupted_by_a_close_gets_unavailable() -> None:
    async with serve(make_settings()) as running, running.acknowledged() as socket:
        await socket.subscribe("change", "mutation { stall }")
        await socket.subscribe("live", "subscription { ticks }")
        await socket.receive()
        await eventually(lambda: running.probe.mutations == 1)
        await running.app.state.connections.drain(5)
        received = await socket.receive()
        assert (received["type"], received["id"]) == ("error", "change")
        assert received["payload"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert await socket.closed() == 1012


async def test_socket_over_the_limit_of_an_address_closes_1013_before_initialization() -> None:
    async with (
        serve(make_settings(max_sockets_per_address=1)) as running,
        running.acknowledged(running.token("ada")),
        running.socket() as second,
    ):
        assert await second.closed() == 1013


async def _is_accepted(running: Running, forwarded_for: str) -> bool:
    """Return whether a socket forwarded for this address is accepted."""
    async with running.socket(additional_headers={"X-Forwarded-For": forwarded_for}) as socket:
        with suppress(ConnectionClosed):
            await socket.init(running.token())
            return True
        return False


@pytest.mark.parametrize(
    ("proxies", "is_trusted"),
    [
        (("127.0.0.1",), True),
        (("127.0.0.0/8", "10.0.0.1"), True),
        (("10.0.0.1",), False),
        ((), False),
    ],
)
async def test_address_forwarded_by_a_trusted_proxy_is_used(
    proxies: tuple[str, ...], *, is_trusted: bool
) -> None:
    settings = make_settings(max_sockets_per_address=1, trusted_proxies=proxies)
    first = {"X-Forwarded-For": "192.0.2.7, 192.0.2.1"}  # only the last is the proxy's
    async with serve(settings) as running, running.socket(additional_headers=first) as socket:
        await socket.init(running.token())
        assert await _is_accepted(running, "192.0.2.2") is is_trusted
        assert not await _is_accepted(running, "192.0.2.1")
