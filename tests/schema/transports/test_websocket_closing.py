"""Every close code of graphql-transport-ws."""

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from tests.schema.conftest import Running, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

MALFORMED = {
    "text that is not JSON": "{",
    "an empty text": "",
    "a list": "[]",
    "null": "null",
    "a number": "1",
    "a string": '"x"',
    "no type": "{}",
    "an unknown type": '{"type":"start"}',
    "a type that is a list": '{"type":[]}',
    "a server's type": '{"type":"next","id":"1","payload":{}}',
    "id list": '{"type":"subscribe","id":[1],"payload":{"query":"{hello}"}}',
    "id object": '{"type":"subscribe","id":{},"payload":{"query":"{hello}"}}',
    "id number": '{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}',
    "id empty": '{"type":"subscribe","id":"","payload":{"query":"{hello}"}}',
    "id missing": '{"type":"subscribe","payload":{"query":"{hello}"}}',
    "payload null": '{"type":"subscribe","id":"1","payload":null}',
    "payload list": '{"type":"subscribe","id":"1","payload":[]}',
    "payload missing": '{"type":"subscribe","id":"1"}',
    "query number": '{"type":"subscribe","id":"1","payload":{"query":1}}',
    "variables list": '{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":[]}}',
    "name list": '{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":[]}}',
    "complete with id list": '{"type":"complete","id":[]}',
    "complete without id": '{"type":"complete"}',
    "ping with a list": '{"type":"ping","payload":[]}',
    "pong with a text": '{"type":"pong","payload":"x"}',
    "init with a list": '{"type":"connection_init","payload":[]}',
    "a lone surrogate": '{"type":"ping","payload":{"a":"\\ud800"}}',
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"type":"ping","payload":' + '{"a":' * 500 + "1" + "}" * 501,
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_message_closes_4400_before_and_after_initialisation(
    running: Running, message: str
) -> None:
    async with running.socket() as early, running.acknowledged() as late:
        await early.send(message)
        await late.send(message)
        assert (await early.closed(), await late.closed()) == (4400, 4400)


async def test_binary_message_closes_4400(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.connection.send(b'{"type":"ping"}')
        assert await socket.closed() == 4400


async def test_operation_id_over_the_limit_closes_4400(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("x" * 129, "{ hello }")
        assert await socket.closed() == 4400


async def test_operation_before_the_acknowledgement_closes_4401(running: Running) -> None:
    async with running.socket() as socket:
        await socket.subscribe("1", "{ hello }")
        assert await socket.closed() == 4401


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": ["Bearer x"]},
        {"authorization": "Basic eDp5"},
    ],
)
async def test_connection_init_without_a_valid_token_closes_4403(
    running: Running, payload: object
) -> None:
    async with running.socket() as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == 4403


async def test_token_is_accepted_with_a_lower_case_key(running: Running) -> None:
    async with running.socket() as socket:
        payload = {"authorization": f"bearer {running.token()}"}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.receive() == {"type": "connection_ack"}


@pytest.mark.parametrize("subprotocols", [None, ["graphql-ws"]])
async def test_other_subprotocols_close_4406(
    running: Running, subprotocols: list[str] | None
) -> None:
    async with running.socket(subprotocols=subprotocols) as socket:
        assert await socket.closed() == 4406


async def test_missing_connection_init_closes_4408_after_the_timeout() -> None:
    async with (
        serve(make_settings(connection_init_timeout_ms=100)) as running,
        running.socket() as socket,
    ):
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed() == 4408


async def test_second_operation_with_an_id_in_use_closes_4409(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("é" * 128, "subscription { ticks }")
        await socket.subscribe("é" * 128, "{ hello }")
        assert await socket.closed() == 4409


async def test_second_connection_init_closes_4429(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 4429


async def _expect_rejection(running: Running, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with running.socket(origin=origin):
            raise AssertionError("the connection was accepted")


async def test_socket_of_another_site_is_rejected(running: Running) -> None:
    await _expect_rejection(running, "https://evil.example")


async def test_a_rejected_site_is_logged_once_a_minute_without_a_warning(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, caplog.at_level("WARNING"):
        for _ in range(2):
            await _expect_rejection(running, "https://twice.example")
    assert [line["event"] for line in logs] == ["origin.rejected"]
    assert caplog.records == []


async def test_sockets_of_the_api_and_configured_origins_are_accepted() -> None:
    async with serve(make_settings(allowed_origins=("https://app.example",))) as running:
        for origin in (running.url, "https://app.example"):
            async with running.socket(origin=origin) as socket:
                await socket.init(running.token())
