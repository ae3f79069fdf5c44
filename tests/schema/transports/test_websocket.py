"""Operations over graphql-transport-ws, from start to end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio

from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from tests.processes import eventually
from tests.schema.conftest import BOTH, SECRET, Running, Socket, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BOTH)
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """Serve the application with either WebSocket protocol."""
    async with serve(make_settings(), request.param) as server:
        yield server


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


async def test_invalid_variables_end_their_operation_only(running: Running) -> None:
    async with running.acknowledged() as socket:
        query = "subscription($to: Int!) { count(to: $to) }"
        await socket.subscribe("1", query, variables={"to": "many"})
        message = await socket.receive()
        assert message["payload"][0]["extensions"]["issues"][0]["path"] == ["to"]
        await _still_works(socket)


async def test_error_of_a_source_is_masked_and_ends_only_its_operation(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { breaks }")
        assert (await socket.receive())["payload"] == {"data": {"breaks": 1}}
        message = await socket.receive()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "hunter2" not in str(message)
        await _still_works(socket)


async def test_event_that_exceeds_the_timeout_ends_its_operation() -> None:
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


async def test_resumable_error_of_a_source_closes_1013(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { breaks(unavailable: true) }")
        assert await socket.closed() == 1013


async def test_complete_for_an_unknown_id_is_ignored(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send({"id": "never", "type": "complete"})
        await _still_works(socket)


async def test_expired_token_sends_each_operation_an_error_and_closes_4403(
    running: Running,
) -> None:
    async with running.acknowledged(running.token(ttl_s=2)) as socket:
        await socket.subscribe("subscription", "subscription { ticks }")
        assert (await socket.receive())["type"] == "next"
        await socket.subscribe("mutation", "mutation { stall }")
        received = {(message := await socket.receive())["id"]: message for _ in range(2)}
        assert await socket.closed() == 4403
    assert received["subscription"]["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHORIZED"
    assert received["mutation"]["type"] == "error"
    assert received["mutation"]["payload"][0]["extensions"]["code"] == "UNAUTHORIZED"
    await eventually(lambda: running.probe.open_streams == 0)


async def test_socket_is_closed_at_expiry_although_the_timer_fires_early(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers can fire slightly before their deadline, especially under load."""
    exact = asyncio.timeout_at
    monkeypatch.setattr(asyncio, "timeout_at", lambda when: exact(when - 0.05))
    async with running.socket() as socket:
        payload = {"Authorization": f"Bearer {running.token(ttl_s=1)}"}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == 4403


async def test_token_of_another_server_is_rejected(running: Running) -> None:
    other: Settings = make_settings(jwt_secret="another-secret-of-48-bytes-0123456789-0123456789")
    async with running.socket() as socket:
        payload = {"Authorization": f"Bearer {issue_token(other, 'ada')}"}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == 4403


async def _still_works(socket: Socket) -> None:
    await socket.subscribe("next", "{ hello }")
    message: Any = await socket.receive()
    assert message == {"id": "next", "type": "next", "payload": {"data": {"hello": "Hello world"}}}


UNDECODABLE = {
    "lone surrogate": (r'"\ud83d"', "variables.value contains the unpaired surrogate \\ud83d"),
    "lone surrogate in a key": (
        r'{"\udc00":1}',
        "variables.value contains the unpaired surrogate \\udc00",
    ),
    "too deep": ("[" * 90 + "]" * 90, "nested deeper than 64 levels"),
    "NaN": ("NaN", "not JSON"),
}


@pytest.mark.parametrize("what", UNDECODABLE)
async def test_undecodable_value_ends_its_operation_only(running: Running, what: str) -> None:
    value, problem = UNDECODABLE[what]
    query = '"query":"query($value: JSON!) { echo(value: $value) }"'
    async with running.acknowledged() as socket:
        await socket.subscribe("ticks", "subscription { ticks }")
        assert (await socket.receive())["id"] == "ticks"
        payload = f'{{{query},"variables":{{"value":{value}}}}}'
        await socket.send(f'{{"id":"bad","type":"subscribe","payload":{payload}}}')
        error = await socket.receive()
        assert (error["id"], error["type"]) == ("bad", "error")
        assert problem in error["payload"][0]["message"]
        assert error["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
        await running.probe.publish()
        assert (await socket.receive())["payload"] == {"data": {"ticks": 1}}


async def test_undecodable_operation_with_an_id_in_use_closes_4409(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.subscribe("1", "subscription { ticks }")
        await socket.receive()
        await socket.send(r'{"id":"1","type":"subscribe","payload":{"query":"\ud83d"}}')
        assert await socket.closed() == 4409


async def test_unpaired_surrogate_in_an_id_closes_4400_with_its_path(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send(r'{"id":"\ud83d","type":"subscribe","payload":{"query":"{ hello }"}}')
        assert await socket.closed() == 4400
        reason = socket.connection.close_reason or ""
        assert reason.startswith(
            r"Message cannot be decoded: id contains the unpaired surrogate \ud83d"
        )


async def test_byte_order_mark_before_a_message_is_ignored(running: Running) -> None:
    async with running.acknowledged() as socket:
        await socket.send('\ufeff{"id":"1","type":"subscribe","payload":{"query":"{ hello }"}}')
        assert (await socket.receive())["payload"] == {"data": {"hello": "Hello world"}}


async def test_socket_at_a_path_with_a_trailing_slash_is_accepted(running: Running) -> None:
    async with running.socket(path="/graphql/") as socket:
        await socket.init(running.token())


async def test_variable_beyond_64_bits_is_rejected_in_a_subscription(running: Running) -> None:
    async with running.acknowledged() as socket:
        query = "subscription($to: Int!) { count(to: $to) }"
        payload = f'{{"query":"{query}","variables":{{"to":18446744073709551616}}}}'
        await socket.send(f'{{"id":"1","type":"subscribe","payload":{payload}}}')
        error = await socket.receive()
        assert "18446744073709551616" in error["payload"][0]["message"]
        assert error["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
