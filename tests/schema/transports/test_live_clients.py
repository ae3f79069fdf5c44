"""Popular clients against the real API: they resume, refresh tokens and fill caches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import orjson
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from pydantic import SecretStr

from tests.processes import TLS, ApiProcess, Processes
from tests.schema.nodejs import install_clients, node

CHECKS = {
    "queries",
    "reportsAnInvalidDocument",
    "givesUp",
    "resumes",
    "socketRefreshes",
    "eventsRefresh",
    "apolloOverSocket",
    "apolloOverMultipart",
    "apolloIsToldOfTheExpiry",
    "apolloPersisted",
    "urqlOverSocket",
    "urqlOverEvents",
    "relayOverSocket",
    "listResumesWithUrqlOverEvents",
    "listResumesWithApolloOverMultipart",
}


async def test_javascript_clients_resume_refresh_tokens_and_fill_caches(
    api_server: ApiProcess,
) -> None:
    install_clients()
    secret = api_server.settings.jwt_secret
    assert secret is not None
    outcomes = {}
    async with node("clients.mjs", api_server.graphql_url, secret.get_secret_value()) as js:
        while (line := await js.line()) is not None:
            outcomes[line["check"]] = line.get("error")
    assert outcomes == dict.fromkeys(CHECKS)


SCHEDULE = """mutation { scheduleJob(input: {
  functionName: "actions.retryableAction", args: { data: { url: "http://x" } }, runAfterMs: 86400000
}) { jobId } }"""
JOBS = """subscription ($after: Cursor) {
  jobsChanged(snapshot: true, after: $after) { kind cursor jobId } }"""


async def _schedule(api: ApiProcess, user: str = "alice") -> str:
    headers = {"authorization": f"Bearer {api.token(user)}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, verify=TLS) as client:
        response = await client.post(api.graphql_url, json={"query": SCHEDULE})
    job_id: str = response.json()["data"]["scheduleJob"]["jobId"]
    return job_id


async def test_resume_client_restarts_if_its_cursor_is_rejected(
    processes: Processes,
) -> None:
    install_clients()
    first = await processes.api()
    await _schedule(first)
    async with node("restart.mjs", first.ws_url, first.token()) as js:
        assert [await js.line(), await js.line()] == ["SNAPSHOT", "READY"]
        await first.child.stop()
        key = SecretStr("another-secret-of-the-cursors-of-48-bytes-012345")
        await processes.api(port=first.settings.port, cursor_secret=key)
        assert [await js.line() for _ in range(3)] == ["RESET", "SNAPSHOT", "READY"]


class Curl:
    """A running `curl -N` that reads events."""

    def __init__(self, output: asyncio.StreamReader) -> None:
        self._output = output

    async def event(self) -> dict[str, str]:
        """Return the fields of the next event, skipping comments."""
        async with asyncio.timeout(30):
            while True:
                text = (await self._output.readuntil(b"\n\n")).decode()
                if not text.startswith(":"):
                    return dict(line.split(": ", 1) for line in text.strip().split("\n"))


@asynccontextmanager
async def _curl(api: ApiProcess, *options: str) -> AsyncIterator[Curl]:
    token = f"authorization: Bearer {api.token()}"
    headers = ("accept: text/event-stream", "content-type: application/json", token)
    pairs = (part for header in headers for part in ("-H", header))
    body = orjson.dumps({"query": "subscription { jobsChanged { kind jobId } }"}).decode()
    command = ("curl", "-sN", api.graphql_url, *pairs, "-d", body, *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Curl(process.stdout)
    finally:
        process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # otherwise its pipe warns when it is garbage collected


def _change(event: dict[str, str]) -> Any:
    return orjson.loads(event["data"])["data"]["jobsChanged"]


async def test_curl_reads_events_and_resumes_after_the_last_event_id(
    api_server: ApiProcess,
) -> None:
    async with _curl(api_server) as curl:
        ready = await curl.event()
        assert (ready["event"], _change(ready)) == ("next", {"kind": "READY", "jobId": None})
        await _schedule(api_server, "another-user")
        await _schedule(api_server)
        seen = await curl.event()
    missed = await _schedule(api_server)
    async with _curl(api_server, "-H", f"Last-Event-ID: {seen['id']}") as curl:
        assert _change(await curl.event())["kind"] == "READY"
        assert _change(await curl.event()) == {"kind": "CHANGED", "jobId": missed}


async def test_invalid_last_event_id_ends_the_stream_with_an_error(
    api_server: ApiProcess,
) -> None:
    async with _curl(api_server, "-H", "Last-Event-ID: nonsense") as curl:
        error = await curl.event()
    extensions = orjson.loads(error["data"])["errors"][0]["extensions"]
    assert extensions["code"] == "BAD_REQUEST"
    assert extensions["issues"][0]["path"] == ["after"]


@asynccontextmanager
async def _watching(api: ApiProcess, after: str | None = None) -> AsyncIterator[Any]:
    transport = WebsocketsTransport(
        url=api.ws_url,
        init_payload={"Authorization": f"Bearer {api.token()}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    request = gql(JOBS)
    request.variable_values = {"after": after}
    async with (
        Client(transport=transport) as session,
        aclosing(session.subscribe(request)) as changes,
    ):
        yield changes


async def test_gql_for_python_resumes_after_the_newest_cursor(api_server: ApiProcess) -> None:
    async with _watching(api_server) as changes:
        cursor = (await anext(changes))["jobsChanged"]["cursor"]
    missed = await _schedule(api_server)
    async with _watching(api_server, cursor) as changes:
        assert (await anext(changes))["jobsChanged"]["kind"] == "READY"
        change = (await anext(changes))["jobsChanged"]
    assert (change["kind"], change["jobId"]) == ("CHANGED", missed)
