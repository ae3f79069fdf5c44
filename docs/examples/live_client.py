"""A small client for the examples: GraphQL over HTTP, and subscriptions over WebSocket."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

Data = dict[str, Any]
OPERATION_IDS = itertools.count(1)


class GraphQLError(Exception):
    """The server responded with errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The URLs of a development server, and a token for it."""

    graphql_url: str
    ws_url: str
    flaky_url: str
    """An API for trying out retries: it fails as often as the query parameters request."""
    token: str

    @classmethod
    def running(cls, folder: Path = Path(".ostinato")) -> Self:
        """Read the file that `make run` writes; raises SystemExit if no server is running."""
        try:
            config = json.loads((folder / "dev.json").read_text())
        except FileNotFoundError:
            raise SystemExit("No server is running here: start one with `make run`.") from None
        return cls(
            graphql_url=config["graphqlUrl"],
            ws_url=config["wsUrl"],
            flaky_url=config["flakyUrl"],
            token=config["token"],
        )


class Client:
    """One user's connection; use `Client.open`."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self.server = server
        self._http = http

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server) -> AsyncIterator[Self]:
        headers = {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=20) as http:
            yield cls(server, http)

    async def call(self, document: str, **variables: object) -> Data:
        """Run a query or mutation and return its data; raises GraphQLError."""
        body = {"query": document, "variables": variables}
        response = (await self._http.post(self.server.graphql_url, json=body)).json()
        if response.get("errors"):
            raise GraphQLError(response["errors"][0]["message"])
        data: Data = response["data"]
        return data

    @asynccontextmanager
    async def subscribe(
        self, document: str, **variables: object
    ) -> AsyncIterator[AsyncIterator[Data]]:
        """Subscribe with the graphql-transport-ws protocol; yield the root field of each result."""
        protocols = [Subprotocol("graphql-transport-ws")]
        async with connect(self.server.ws_url, subprotocols=protocols) as socket:
            token = {"Authorization": f"Bearer {self.server.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": token}))
            operation = {"query": document, "variables": variables}
            subscribe = {"id": str(next(OPERATION_IDS)), "type": "subscribe", "payload": operation}
            await socket.send(json.dumps(subscribe))
            yield _changes(socket)


async def _changes(socket: ClientConnection) -> AsyncIterator[Data]:
    async for text in socket:
        message = json.loads(text)
        match message["type"]:
            case "next":
                for change in message["payload"]["data"].values():
                    yield change
            case "error":
                raise GraphQLError(message["payload"][0]["message"])
            case "ping":
                await socket.send('{"type":"pong"}')
            case "complete":
                return
