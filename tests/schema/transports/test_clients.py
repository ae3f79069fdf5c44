"""The gql client for Python, against the real server."""

import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from tests.processes import eventually
from tests.schema.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS = "subscription { ticks }"


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
