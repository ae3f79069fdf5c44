"""Clients that people use, against the real server."""

from typing import Any

import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from tests.processes import eventually
from tests.transports.conftest import Running
from tests.transports.nodejs import Script, install_clients, node

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS = "subscription { ticks }"


async def _until(script: Script, key: str) -> Any:
    while (line := await script.line()) is not None:
        if key in line:
            return line[key]
    raise AssertionError(f"the client ended without {key}")


async def test_graphql_ws_receives_results_and_completes(running: Running) -> None:
    install_clients()
    url = f"{running.url}/graphql"
    async with node("graphql_ws.mjs", url, "subscription { count(to: 2) }", running.token()) as js:
        assert await _until(js, "next") == {"data": {"count": 0}}
        assert await _until(js, "next") == {"data": {"count": 1}}
        assert await _until(js, "complete")


async def test_graphql_ws_goes_on_with_fresh_parameters_when_its_token_expires(
    running: Running,
) -> None:
    install_clients()
    tokens = (running.token(ttl_s=2), running.token(ttl_s=60))
    async with node("graphql_ws.mjs", f"{running.url}/graphql", TICKS, *tokens) as js:
        assert await _until(js, "next") == {"data": {"ticks": 0}}
        expired = await _until(js, "next")
        assert expired["errors"][0]["extensions"]["code"] == "UNAUTHORIZED"
        assert await _until(js, "closed") == 4403
        assert await _until(js, "next") == {"data": {"ticks": 0}}
        await running.probe.publish()
        assert await _until(js, "next") == {"data": {"ticks": 1}}


async def test_graphql_ws_gives_up_on_an_invalid_token_only_after_its_retries(
    running: Running,
) -> None:
    install_clients()
    async with node("graphql_ws.mjs", f"{running.url}/graphql", TICKS, "nonsense") as js:
        assert await _until(js, "error") == 4403


async def test_graphql_ws_reports_an_invalid_document_as_an_error_of_the_operation(
    running: Running,
) -> None:
    install_clients()
    url = f"{running.url}/graphql"
    async with node("graphql_ws.mjs", url, "subscription { nope }", running.token()) as js:
        errors = await _until(js, "error")
        assert errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_gql_for_python_queries_over_http(running: Running) -> None:
    headers = {"Authorization": f"Bearer {running.token('ada')}"}
    transport = HTTPXAsyncTransport(url=f"{running.url}/graphql", headers=headers)
    async with Client(transport=transport) as session:
        assert await session.execute(gql("{ me }")) == {"me": "ada"}


async def test_gql_for_python_subscribes_and_unsubscribes_over_websocket(running: Running) -> None:
    transport = WebsocketsTransport(
        url=f"ws://127.0.0.1:{running.port}/graphql",
        init_payload={"Authorization": f"Bearer {running.token()}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    async with Client(transport=transport) as session:
        async for result in session.subscribe(gql(TICKS)):
            assert result == {"ticks": 0}
            break
        await eventually(lambda: running.probe.open_streams == 0)
