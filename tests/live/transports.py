"""Clients of each transport, which store the newest version of each job."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect

from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from tests.processes import TLS
from tests.schema.conftest import TRANSPORT_WS, Socket
from tests.schema.streams import MULTIPART, SEPARATORS, SSE

Document = dict[str, Any]
WAIT_S: Final = 30.0
JOB: Final = "id version state args result progress { done total message } error { message }"
CHANGES: Final = f"subscription {{ jobsChanged {{ kind job {{ {JOB} }} }} }}"


@dataclass(slots=True)
class View:
    """The jobs of one client, merged by version."""

    jobs: dict[str, Document] = field(default_factory=dict)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def merge(self, response: Mapping[str, Any]) -> None:
        assert "errors" not in response, response
        message = response["data"]["jobsChanged"]
        if message["kind"] == "READY":
            self.is_ready.set()
        elif (job := message["job"]) is not None:
            known = self.jobs.get(job["id"])
            if known is None or known["version"] <= job["version"]:
                self.jobs[job["id"]] = job
            async with self.changed:
                self.changed.notify_all()

    async def wait_until_equal(self, stored: Mapping[str, Document]) -> None:
        """Wait for the stored versions of the jobs, and compare their values exactly."""

        def is_up_to_date() -> bool:
            return all(
                job_id in self.jobs and self.jobs[job_id]["version"] >= job["version"]
                for job_id, job in stored.items()
            )

        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(is_up_to_date)
        for job_id, job in stored.items():
            assert repr(self.jobs[job_id]) == repr(job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user of the API at this port."""

    settings: Settings
    port: int
    name: str
    prefix: str = ""
    """The path of an API that is mounted in an application."""

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {issue_token(self.settings, self.name)}"}

    def client(self) -> httpx.AsyncClient:
        url = f"http://127.0.0.1:{self.port}{self.prefix}"
        return httpx.AsyncClient(
            base_url=url, headers=self.headers, timeout=WAIT_S, trust_env=False, verify=TLS
        )

    async def execute(self, client: httpx.AsyncClient, query: str, **variables: Any) -> Document:
        """Run an operation over HTTP; fail on errors."""
        body = json.dumps({"query": query, "variables": variables})
        headers = {"content-type": "application/json"}
        response = await client.post("/graphql", content=body, headers=headers)
        response_body: Document = json.loads(response.content)
        assert "errors" not in response_body, response_body["errors"]
        found: Document = response_body["data"]
        return found

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[dict[str, View]]:
        """Subscribe to jobs over every transport, and wait for READY."""
        views = {"websocket": View(), "sse": View(), "multipart": View()}
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._socket(views["websocket"])),
                tasks.create_task(self._stream(views["sse"], SSE)),
                tasks.create_task(self._stream(views["multipart"], MULTIPART)),
            ]
            async with asyncio.timeout(WAIT_S):
                for view in views.values():
                    await view.is_ready.wait()
            yield views
            for task in running:
                task.cancel()

    async def _socket(self, view: View) -> None:
        url = f"ws://127.0.0.1:{self.port}{self.prefix}/graphql"
        async with connect(url, subprotocols=[TRANSPORT_WS], proxy=None) as connection:
            socket = Socket(connection)
            await socket.init(issue_token(self.settings, self.name))
            await socket.subscribe("1", CHANGES)
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "next":
                    await view.merge(message["payload"])

    async def _stream(self, view: View, accept: dict[str, str]) -> None:
        body = {"query": CHANGES}
        async with (
            self.client() as client,
            client.stream("POST", "/graphql", headers=accept, json=body) as response,
        ):
            async for message in _responses_of(response):
                await view.merge(message)


async def _responses_of(response: httpx.Response) -> AsyncIterator[Document]:
    separator = SEPARATORS[response.headers["content-type"].partition(";")[0]]
    rest = b""
    async for chunk in response.aiter_raw():
        *frames, rest = (rest + chunk).split(separator)
        for message in filter(None, map(_response_in, frames)):
            yield message


def _response_in(frame: bytes) -> Document | None:
    """Return the response in a frame, None if it has none."""
    start = frame.find(b"{")
    if start < 0:
        return None
    message: Document = json.loads(frame[start:])
    return message.get("payload", message) or None
