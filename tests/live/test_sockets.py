"""Whole sockets of a real API: each hears of a change once, under its own id, until it is done."""

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from jobs.settings import Settings
from resolvers.auth import mint
from schema.app import create_app
from tests.live.serving import served
from tests.live.watching import JOBS
from tests.live.writing import Writer
from tests.transports.conftest import BOTH, TRANSPORT_WS, Socket


@pytest.fixture(params=BOTH)
async def port(live_settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """Serve the API, by frames that it makes itself, and by messages; return where."""
    async with served(create_app(live_settings), live_settings, request.param) as port:
        yield port


@pytest.fixture
async def sockets(port: int, live_settings: Settings) -> AsyncIterator[list[Socket]]:
    """Return three clients that have got READY of the same subscription, under their own ids."""
    url = f"ws://127.0.0.1:{port}/graphql"
    connections = [
        await connect(url, subprotocols=[TRANSPORT_WS], compression=None, proxy=None)
        for _ in range(3)
    ]
    sockets = [Socket(connection) for connection in connections]
    for number, client in enumerate(sockets):
        await client.init(mint(live_settings, "ann"))
        await client.subscribe(f"mine-{number}", JOBS)
        assert (await client.receive())["payload"]["data"]["jobsChanged"]["kind"] == "READY"
    yield sockets
    for connection in connections:
        await connection.close()


async def test_each_is_told_of_a_change_under_its_own_id(
    sockets: list[Socket], write: Writer
) -> None:
    for _ in range(5):
        await write.run()
    told = [[await client.receive() for _ in range(15)] for client in sockets]
    for number, messages in enumerate(told):
        assert {message["id"] for message in messages} == {f"mine-{number}"}
        assert [m["payload"] for m in messages] == [m["payload"] for m in told[0]]


async def test_whoever_completes_hears_no_more_and_the_others_do(
    sockets: list[Socket], write: Writer
) -> None:
    await sockets[0].send({"id": "mine-0", "type": "complete"})
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}
    await write.job()
    assert (await sockets[1].receive())["id"] == "mine-1"
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}


async def test_whoever_vanishes_does_not_hurt_the_others(
    sockets: list[Socket], write: Writer
) -> None:
    sockets[0].connection.transport.abort()
    await write.run()
    assert [(await sockets[2].receive())["id"] for _ in range(3)] == ["mine-2"] * 3
