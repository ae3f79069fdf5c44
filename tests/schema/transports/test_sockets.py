"""Whole sockets of a real API: each hears of a change once, under its own id, until it is done."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from websockets.asyncio.client import connect

from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from ostinato.schema.ids import global_id
from ostinato.schema.server.app import create_app
from tests.live.serving import served
from tests.live.watching import JOB, JOBS
from tests.live.writing import Writer
from tests.schema.conftest import BOTH, TRANSPORT_WS, Socket


@pytest.fixture(params=BOTH)
async def port(live_settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """Serve the API, by frames that it makes itself, and by messages; return where."""
    async with served(create_app(live_settings), live_settings, request.param) as port:
        yield port


class Connect(Protocol):
    def __call__(self, *roles: str) -> AbstractAsyncContextManager[Socket]: ...


@pytest.fixture
def connected(port: int, live_settings: Settings) -> Connect:
    """Return how to connect as ann, with roles."""

    @asynccontextmanager
    async def connected(*roles: str) -> AsyncIterator[Socket]:
        url = f"ws://127.0.0.1:{port}/graphql"
        async with connect(
            url, subprotocols=[TRANSPORT_WS], compression=None, proxy=None
        ) as connection:
            client = Socket(connection)
            await client.init(issue_token(live_settings, "ann", roles))
            yield client

    return connected


async def changes(client: Socket, count: int) -> list[Any]:
    """Read messages of `jobsChanged`."""
    messages = [await client.receive() for _ in range(count)]
    return [message["payload"]["data"]["jobsChanged"] for message in messages]


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
        await client.init(issue_token(live_settings, "ann"))
        await client.subscribe(f"mine-{number}", JOBS)
        assert (await client.receive())["payload"]["data"]["jobsChanged"]["kind"] == "READY"
    yield sockets
    for connection in connections:
        await connection.close()


async def test_each_is_told_of_a_change_under_its_own_id(
    sockets: list[Socket], writer: Writer
) -> None:
    for _ in range(5):
        await writer.run()
    told = [[await client.receive() for _ in range(15)] for client in sockets]
    for number, messages in enumerate(told):
        assert {message["id"] for message in messages} == {f"mine-{number}"}
        assert [m["payload"] for m in messages] == [m["payload"] for m in told[0]]


async def test_whoever_completes_hears_no_more_and_the_others_do(
    sockets: list[Socket], writer: Writer
) -> None:
    await sockets[0].send({"id": "mine-0", "type": "complete"})
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}
    await writer.job()
    assert (await sockets[1].receive())["id"] == "mine-1"
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}


async def test_whoever_vanishes_does_not_hurt_the_others(
    sockets: list[Socket], writer: Writer
) -> None:
    sockets[0].connection.transport.abort()
    await writer.run()
    assert [(await sockets[2].receive())["id"] for _ in range(3)] == ["mine-2"] * 3


async def test_user_who_is_no_longer_admin_resumes_an_admin_s_cursor_to_its_own_jobs_alone(
    connected: Connect, writer: Writer
) -> None:
    async with connected("admin") as admin, connected() as user:
        await admin.subscribe("all", JOBS)
        (ready,) = await changes(admin, 1)
        missed = [global_id("Job", await writer.job(owner)) for owner in ("bob", "ann", "bob")]
        assert [each["jobId"] for each in await changes(admin, 3)] == missed
        await user.subscribe("mine", JOBS, variables={"after": ready["cursor"]})
        told = await changes(user, 2)
        assert [(each["kind"], each["jobId"]) for each in told] == [
            ("READY", None),
            ("CHANGED", missed[1]),
        ]
        news = [global_id("Job", await writer.job(owner)) for owner in ("bob", "ann")]
        assert [each["jobId"] for each in await changes(admin, 2)] == news
        assert [each["jobId"] for each in await changes(user, 1)] == news[1:]


async def test_cursor_of_an_admin_s_snapshot_begins_the_user_s_own(
    connected: Connect, writer: Writer
) -> None:
    ids = [global_id("Job", await writer.job(owner)) for owner in ("ann", "bob")]
    async with connected("admin") as admin, connected() as user:
        await admin.subscribe("all", JOBS, variables={"snapshot": True})
        rows = await changes(admin, 2)
        assert [row["jobId"] for row in rows] == ids[::-1]
        variables = {"after": rows[0]["cursor"], "snapshot": True}
        await user.subscribe("mine", JOBS, variables=variables)
        told = [(each["kind"], each["jobId"]) for each in await changes(user, 3)]
        assert told == [("RESET", None), ("SNAPSHOT", ids[0]), ("READY", None)]


async def test_cursor_of_another_s_job_is_not_found_without_the_role(
    connected: Connect, writer: Writer
) -> None:
    theirs = {"id": global_id("Job", await writer.job("bob"))}
    query = JOB.replace("($id", "($after: Cursor, $id").replace(
        "jobId: $id", "jobId: $id, after: $after"
    )
    async with connected("admin") as admin, connected() as user:
        await admin.subscribe("theirs", query, variables=theirs)
        message = await admin.receive()
        cursor = message["payload"]["data"]["jobChanged"]["cursor"]
        await user.subscribe("mine", query, variables={**theirs, "after": cursor})
        refused = await user.receive()
        assert (refused["type"], refused["id"]) == ("error", "mine")
        assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"
