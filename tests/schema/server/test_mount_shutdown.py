"""When its application stops, the mounted API ends subscriptions, which resume after a restart."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta

from websockets.asyncio.client import connect

from ostinato import Ostinato, Settings
from ostinato.resolvers.auth import issue_token
from tests.live.serving import hosted, mounting
from tests.live.transports import Caller
from tests.schema.conftest import TRANSPORT_WS, Socket
from tests.schema.server.test_mount import PREFIX
from tests.schema.streams import SSE

LATER = timedelta(minutes=1)
FOLLOW = "subscription { jobsChanged { kind cursor jobId } }"


def _caller(settings: Settings, port: int) -> Caller:
    return Caller(settings=settings, port=port, name="alice", prefix=PREFIX)


async def test_socket_is_closed_for_a_restart_and_resumes(settings: Settings) -> None:
    async with AsyncExitStack() as clients:
        async with hosted(mounting(Ostinato(settings))) as port:
            url = f"ws://127.0.0.1:{port}{PREFIX}/graphql"
            opening = connect(url, subprotocols=[TRANSPORT_WS], proxy=None)
            socket = Socket(await clients.enter_async_context(opening))
            await socket.init(issue_token(settings, "alice"))
            await socket.subscribe("1", FOLLOW)
            ready = (await socket.receive())["payload"]["data"]["jobsChanged"]
        assert await socket.closed() == 1012
    assert await _missed_kinds(settings, ready["cursor"]) == ["READY", "CHANGED"]


async def test_stream_is_cut_and_resumes_from_its_last_event(settings: Settings) -> None:
    async with hosted(mounting(Ostinato(settings))) as port:
        http = _caller(settings, port).client()
        body = {"query": FOLLOW}
        stream = http.stream("POST", "/graphql", headers=SSE, json=body)
        lines = (await stream.__aenter__()).aiter_lines()
        cursor = ""
        while not cursor:
            cursor = (await anext(lines)).partition("id: ")[2]
    await http.aclose()
    assert await _missed_kinds(settings, cursor) == ["READY", "CHANGED"]


async def _missed_kinds(settings: Settings, cursor: str) -> list[str]:
    """Schedule a job while the API is stopped, and return the messages after the cursor."""
    async with Ostinato(settings) as app:
        await app.schedule("tasks.runTask", {"name": "x"}, owner="alice", run_after=LATER)
    kinds: list[str] = []
    headers, body = {**SSE, "last-event-id": cursor}, {"query": FOLLOW}
    async with (
        hosted(mounting(Ostinato(settings))) as port,
        _caller(settings, port).client() as http,
        http.stream("POST", "/graphql", headers=headers, json=body) as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                kinds.append(json.loads(line[6:])["data"]["jobsChanged"]["kind"])
            if "CHANGED" in kinds:
                break
    return kinds
