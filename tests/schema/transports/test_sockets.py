"""WebSockets of a real API: each operation receives each change once, with its own id."""

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
    """Serve the API with either WebSocket protocol, and return its port."""
    async with served(create_app(live_settings), live_settings, request.param) as port:
        yield port


class Connect(Protocol):
    def __call__(self, *roles: str) -> AbstractAsyncContextManager[Socket]: ...


@pytest.fixture
def connected(port: int, live_settings: Settings) -> Connect:
    """Return a function that connects as ann, with roles."""

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
    """Return three clients of the same subscription, with different ids, after READY."""
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


async def test_each_client_receives_changes_with_its_own_operation_id(
    sockets: list[Socket], writer: Writer
) -> None:
    for _ in range(5):
        await writer.run()
    received = [[await client.receive() for _ in range(15)] for client in sockets]
    for number, messages in enumerate(received):
        assert {message["id"] for message in messages} == {f"mine-{number}"}
        assert [m["payload"] for m in messages] == [m["payload"] for m in received[0]]


async def test_completed_subscription_receives_no_more_and_the_others_continue(
    sockets: list[Socket], writer: Writer
) -> None:
    await sockets[0].send({"id": "mine-0", "type": "complete"})
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}
    await writer.job()
    assert (await sockets[1].receive())["id"] == "mine-1"
    await sockets[0].send({"type": "ping"})
    assert await sockets[0].receive() == {"type": "pong"}


async def test_lost_connection_does_not_affect_the_others(
    sockets: list[Socket], writer: Writer
) -> None:
    sockets[0].connection.transport.abort()
    await writer.run()
    assert [(await sockets[2].receive())["id"] for _ in range(3)] == ["mine-2"] * 3


async def test_former_admin_who_resumes_an_admin_cursor_receives_only_own_jobs(
    connected: Connect, writer: Writer
) -> None:
    async with connected("admin") as admin, connected() as user:
        await admin.subscribe("all", JOBS)
        (ready,) = await changes(admin, 1)
        missed = [global_id("Job", await writer.job(owner)) for owner in ("bob", "ann", "bob")]
        assert [change["jobId"] for change in await changes(admin, 3)] == missed
        await user.subscribe("mine", JOBS, variables={"after": ready["cursor"]})
        received = await changes(user, 2)
        assert [(change["kind"], change["jobId"]) for change in received] == [
            ("READY", None),
            ("CHANGED", missed[1]),
        ]
        news = [global_id("Job", await writer.job(owner)) for owner in ("bob", "ann")]
        assert [change["jobId"] for change in await changes(admin, 2)] == news
        assert [change["jobId"] for change in await changes(user, 1)] == news[1:]


async def test_user_who_resumes_a_snapshot_cursor_of_an_admin_gets_a_snapshot_of_own_jobs(
    connected: Connect, writer: Writer
) -> None:
    ids = [global_id("Job", await writer.job(owner)) for owner in ("ann", "bob")]
    async with connected("admin") as admin, connected() as user:
        await admin.subscribe("all", JOBS, variables={"snapshot": True})
        rows = await changes(admin, 2)
        assert [row["jobId"] for row in rows] == ids[::-1]
        variables = {"after": rows[0]["cursor"], "snapshot": True}
        await user.subscribe("mine", JOBS, variables=variables)
        received = [(change["kind"], change["jobId"]) for change in await changes(user, 3)]
        assert received == [("RESET", None), ("SNAPSHOT", ids[0]), ("READY", None)]


async def test_cursor_for_the_job_of_another_owner_is_not_found_without_the_role(
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
        rejected = await user.receive()
        assert (rejected["type"], rejected["id"]) == ("error", "mine")
        assert rejected["payload"][0]["extensions"]["code"] == "NOT_FOUND"
