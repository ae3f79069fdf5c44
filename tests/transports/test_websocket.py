"""graphql-transport-ws, message by message: every close code, and what an operation may expect."""

from typing import Any

import jwt
import pytest
from websockets.exceptions import InvalidStatus

from jobs.settings import Settings
from resolvers.auth import mint
from tests.processes import eventually
from tests.transports.conftest import SECRET, Running, Socket, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

MALFORMED = {
    "text that is no JSON": "{",
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


async def test_token_is_found_in_lower_case_too(running: Running) -> None:
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


async def test_no_connection_init_in_time_closes_4408() -> None:
    async with (
        serve(make_settings(connection_init_timeout_ms=100)) as running,
        running.socket() as socket,
    ):
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed() == 4408


async def test_second_operation_with_a_live_id_closes_4409(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("é" * 128, "subscription { ticks }")
        await socket.subscribe("é" * 128, "{ hello }")
        assert await socket.closed() == 4409


async def test_second_connection_init_closes_4429(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 4429


async def test_page_of_another_site_is_refused(running: Running) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with running.socket(origin="https://evil.example"):
            raise AssertionError("it was accepted")


async def test_own_and_configured_pages_are_accepted() -> None:
    async with serve(make_settings(allowed_origins=("https://app.example",))) as running:
        for origin in (running.url, "https://app.example"):
            async with running.socket(origin=origin) as socket:
                await socket.init(running.token())


async def test_ping_is_answered(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send({"type": "ping", "payload": {"a": 1}})
        assert await socket.receive() == {"type": "pong"}
        await socket.send({"type": "pong", "payload": None})
        await socket.send({"type": "ping", "payload": None})
        assert await socket.receive() == {"type": "pong"}


async def test_query_gets_its_result_and_complete(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe('an "id" é', "{ me }", variables=None, operationName=None)
        result = {"id": 'an "id" é', "type": "next", "payload": {"data": {"me": "ada"}}}
        assert await socket.receive() == result
        assert await socket.receive() == {"id": 'an "id" é', "type": "complete"}


async def test_mutation_runs_and_its_id_can_be_used_again(running: Running) -> None:
    async with running.acknowledged() as socket:
        for _ in range(2):
            await socket.subscribe("1", 'mutation { add(input: {name: "x"}) }')
            assert (await socket.receive())["payload"] == {"data": {"add": "x"}}
            assert (await socket.receive())["type"] == "complete"
    assert running.probe.mutations == 2


async def test_subscription_gets_each_event_until_its_client_completes_it(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { ticks }")
        assert (await socket.receive())["payload"] == {"data": {"ticks": 0}}
        await running.probe.publish()
        assert (await socket.receive())["payload"] == {"data": {"ticks": 1}}
        await socket.send({"id": "1", "type": "complete"})
        await eventually(lambda: running.probe.open_streams == 0)
        await _still_works(socket)


async def test_client_that_leaves_ends_its_subscriptions(running: Running) -> None:
    async with running.acknowledged() as socket:
        for number in range(3):
            await socket.subscribe(str(number), "subscription { ticks }")
            await socket.receive()
        assert running.probe.open_streams == 3
    await eventually(lambda: running.probe.open_streams == 0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { ticks", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { hidden }", "NOT_FOUND"),
        ("query A { hello } query B { hello }", "BAD_REQUEST"),
    ],
)
async def test_error_ends_its_operation_only(running: Running, query: str, code: str) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", query)
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        await _still_works(socket)


async def test_wrong_variables_end_their_operation_only(running: Running) -> None:
    async with running.acknowledged() as socket:
        query = "subscription($to: Int!) { count(to: $to) }"
        await socket.subscribe("1", query, variables={"to": "many"})
        message = await socket.receive()
        assert message["payload"][0]["extensions"]["issues"][0]["path"] == ["to"]
        await _still_works(socket)


async def test_source_that_breaks_is_masked_and_ends_its_operation_only(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { breaks }")
        assert (await socket.receive())["payload"] == {"data": {"breaks": 1}}
        message = await socket.receive()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "hunter2" not in str(message)
        await _still_works(socket)


async def test_event_that_takes_too_long_ends_its_operation_as_timeout() -> None:
    settings = make_settings(request_timeout_ms=100)
    async with serve(settings) as running, running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { items { never } }")
        message = await socket.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == (
            "error",
            "TIMEOUT",
        )


async def test_keys_that_cannot_be_fetched_close_1013() -> None:
    settings = make_settings(jwt_secret=None, jwt_jwks_url="http://127.0.0.1:9/keys")
    token = jwt.encode({"sub": "ada"}, SECRET, headers={"kid": "1"})
    async with serve(settings) as running, running.socket() as socket:
        payload = {"Authorization": f"Bearer {token}"}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == 1013


async def test_source_that_can_be_resumed_elsewhere_closes_1013(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { breaks(unavailable: true) }")
        assert await socket.closed() == 1013


async def test_unknown_complete_is_no_error(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send({"id": "never", "type": "complete"})
        await _still_works(socket)


async def test_expired_token_is_told_to_each_operation_and_closes_4403(running: Running) -> None:
    async with running.acknowledged(running.token(ttl_s=2)) as socket:
        await socket.subscribe("subscription", "subscription { ticks }")
        assert (await socket.receive())["type"] == "next"
        await socket.subscribe("mutation", "mutation { stall }")
        told = {(message := await socket.receive())["id"]: message for _ in range(2)}
        assert await socket.closed() == 4403
    assert told["subscription"]["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHORIZED"
    assert told["mutation"]["type"] == "error"
    assert told["mutation"]["payload"][0]["extensions"]["code"] == "UNAUTHORIZED"
    await eventually(lambda: running.probe.open_streams == 0)


async def test_token_of_another_server_is_refused(running: Running) -> None:
    other: Settings = make_settings(jwt_secret="another-secret-of-48-bytes-0123456789-0123456789")
    async with running.socket() as socket:
        payload = {"Authorization": f"Bearer {mint(other, 'ada')}"}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == 4403


async def _still_works(socket: Socket) -> None:
    await socket.subscribe("next", "{ hello }")
    message: Any = await socket.receive()
    assert message == {"id": "next", "type": "next", "payload": {"data": {"hello": "Hello world"}}}
