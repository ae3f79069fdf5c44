"""Rate limits of users and addresses over HTTP and WebSocket."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.processes import TLS, Processes
from tests.schema.conftest import Running, make_settings, serve
from tests.schema.streams import SSE

pytestmark = pytest.mark.audit("rates")

RATE = 0.001  # one in 1,000 s: a busy machine gains nothing
THREE: dict[str, Any] = {"operations_per_second": RATE, "operations_burst": 3}
THREE_TOKENS: dict[str, Any] = {"failed_tokens_per_second": RATE, "failed_tokens_burst": 3}
HELLO = {"query": "{ hello }"}


async def ask(running: Running, token: str | None, **headers: str) -> httpx.Response:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
        return await client.post("/graphql", json=HELLO, headers=headers)


@pytest.mark.parametrize("accept", ["application/json", SSE["accept"]])
async def test_user_over_the_rate_gets_429_with_the_time_to_wait(accept: str) -> None:
    async with serve(make_settings(**THREE)) as running:
        for _ in range(3):
            assert (await ask(running, running.token("ada"))).json() == {
                "data": {"hello": "Hello world"}
            }
        rejected = await ask(running, running.token("ada"), accept=accept)
        assert rejected.status_code == HTTPStatus.TOO_MANY_REQUESTS
        extensions = rejected.json()["errors"][0]["extensions"]
        assert extensions["code"] == "TOO_MANY_REQUESTS"
        assert 900_000 < extensions["retryAfterMs"] <= 1_000_000
        assert 900 < int(rejected.headers["retry-after"]) <= 1_000
        assert (await ask(running, running.token("bob"))).is_success


async def test_rate_is_one_for_all_tokens_and_transports_of_a_user() -> None:
    async with serve(make_settings(**THREE)) as running:
        await ask(running, running.token("ada", ttl_s=60))
        await ask(running, running.token("ada", ttl_s=61))
        async with running.acknowledged(running.token("ada", ttl_s=62)) as socket:
            await socket.subscribe("1", "{ hello }")
            assert (await socket.receive())["type"] == "next"
            assert (await socket.receive())["type"] == "complete"
            await socket.subscribe("2", "subscription { ticks }")
            message = await socket.receive()
        assert (message["id"], message["type"]) == ("2", "error")
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS"


async def test_operations_over_the_limit_of_a_socket_count() -> None:
    async with (
        serve(make_settings(**THREE, max_operations_per_socket=1)) as running,
        running.acknowledged(running.token("ada")) as socket,
    ):
        await socket.subscribe("1", "subscription { ticks }")
        await socket.receive()
        waits = []
        for _ in range(3):
            await socket.subscribe("2", "{ hello }")
            waits.append((await socket.receive())["payload"][0]["extensions"]["retryAfterMs"])
    assert waits[:2] == [1_000, 1_000]
    assert waits[2] > 900_000


async def test_operations_without_a_token_are_limited_by_address() -> None:
    async with serve(make_settings(**THREE, trusted_proxies=("127.0.0.1",))) as running:
        for _ in range(3):
            assert (await ask(running, None, **{"x-forwarded-for": "192.0.2.1"})).is_success
        rejected = await ask(running, None, **{"x-forwarded-for": "192.0.2.1"})
        assert rejected.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert (await ask(running, None, **{"x-forwarded-for": "192.0.2.2"})).is_success
        assert (await ask(running, running.token("ada"))).is_success


async def test_forged_forwarded_address_is_ignored_by_default() -> None:
    async with serve(make_settings(**THREE)) as running:
        for number in range(3):
            await ask(running, None, **{"x-forwarded-for": f"192.0.2.{number}"})
        rejected = await ask(running, None, **{"x-forwarded-for": "192.0.2.9"})
        assert rejected.status_code == HTTPStatus.TOO_MANY_REQUESTS


async def test_invalid_tokens_over_the_rate_are_rejected_without_verification() -> None:
    async with serve(make_settings(**THREE_TOKENS)) as running:
        known, fresh = running.token("ada"), running.token("bob")
        assert (await ask(running, known)).is_success
        codes = [(await ask(running, f"{fresh}{n}")).status_code for n in range(3)]
        assert codes == [HTTPStatus.UNAUTHORIZED] * 3
        rejected = await ask(running, fresh)
        assert rejected.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert 900 < int(rejected.headers["retry-after"]) <= 1_000
        assert rejected.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS"
        assert (await ask(running, known)).is_success


async def test_invalid_tokens_of_sockets_count_and_then_close_with_1013() -> None:
    async with serve(make_settings(**THREE_TOKENS)) as running:
        codes = []
        for number in range(4):
            async with running.socket() as socket:
                payload = {"Authorization": f"Bearer {running.token()}{number}"}
                await socket.send({"type": "connection_init", "payload": payload})
                codes.append(await socket.closed())
        assert codes == [4403] * 3 + [1013]


async def test_api_processes_share_the_rate_of_a_user(processes: Processes) -> None:
    one, other = [
        await processes.api(operations_per_second=RATE, operations_burst=20) for _ in range(2)
    ]
    headers = {"authorization": f"Bearer {one.token('ada')}"}
    body = {"query": "{ viewer { id } }"}
    codes = []
    async with httpx.AsyncClient(headers=headers, verify=TLS, timeout=30) as client:
        for number in range(80):
            api = (one, other)[number % 2]
            response = await client.post(api.graphql_url, json=body)
            codes.append(response.status_code)
    admitted = codes.count(HTTPStatus.OK)
    assert 20 <= admitted < 40  # each process alone would admit 20
    assert codes.count(HTTPStatus.TOO_MANY_REQUESTS) == 80 - admitted
