"""Clients of every transport that disconnect, some without closing, leave nothing in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from ostinato.schema.server.app import create_app
from ostinato.schema.transports.connections import ConnectionRegistry
from tests.live.leaked_objects import count_live_objects
from tests.live.scraping import TIMEOUT_S, TOKEN, Scraper
from tests.live.serving import served
from tests.live.watching import JOBS
from tests.live.writing import Writer
from tests.processes import TLS, eventually
from tests.schema.conftest import TRANSPORT_WS, Socket
from tests.schema.streams import MULTIPART, SSE

ROUNDS: Final = 4
VISITS: Final = 8  # per round, with one client of every kind each
GAUGES: Final = ("sockets", "subscription_groups", "subscription_members", "hub_watches")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUnderTest:
    """An API server, and its connections."""

    port: int
    settings: Settings
    sockets: ConnectionRegistry
    scraper: Scraper

    async def socket(self, *, aborts: bool = False, token: str | None = None) -> None:
        """Connect, receive READY, and leave."""
        url = f"ws://127.0.0.1:{self.port}/graphql"
        async with connect(
            url, subprotocols=[TRANSPORT_WS], compression=None, proxy=None
        ) as connection:
            client = Socket(connection)
            await client.init(token or issue_token(self.settings, "ann"))
            await client.subscribe("mine", JOBS)
            await client.receive()
            if aborts:
                connection.transport.abort()

    async def connect_rejected(self) -> None:
        """Connect with an invalid token."""
        with pytest.raises(ConnectionClosed):
            await self.socket(token="none")

    async def stream(self, accept: dict[str, str]) -> None:
        """Connect, receive READY, and leave in the middle of the response."""
        headers = accept | {"authorization": f"Bearer {issue_token(self.settings, 'bob')}"}
        url = f"http://127.0.0.1:{self.port}/graphql"
        async with (
            httpx.AsyncClient(trust_env=False, verify=TLS, timeout=TIMEOUT_S) as client,
            client.stream("POST", url, headers=headers, json={"query": JOBS}) as response,
        ):
            async for chunk in response.aiter_raw():
                if b"READY" in chunk:
                    return

    async def visit(self, writer: Writer) -> None:
        """Connect and disconnect a client of each kind while jobs change."""
        await asyncio.gather(
            self.socket(),
            self.socket(aborts=True),
            self.connect_rejected(),
            self.stream(SSE),
            self.stream(MULTIPART),
            writer.run(),
        )

    async def is_empty(self) -> bool:
        figures = await self.scraper.scrape()
        return not any(
            [self.sockets.quota_holders, *(figures[f"ostinato_{name}"] for name in GAUGES)]
        )


@pytest.fixture
async def api(live_settings: Settings) -> AsyncIterator[ApiUnderTest]:
    settings = live_settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    app = create_app(settings)
    async with served(app, settings) as port:
        scraper = Scraper(url=f"http://127.0.0.1:{port}", settings=settings)
        sockets = app.state.connections
        yield ApiUnderTest(port=port, settings=settings, sockets=sockets, scraper=scraper)


async def test_clients_of_every_transport_leave_nothing_in_memory(
    api: ApiUnderTest, writer: Writer
) -> None:
    counts = []
    for _ in range(ROUNDS):
        for _ in range(VISITS):
            await api.visit(writer)
        await eventually(api.is_empty)
        counts.append(count_live_objects())
    assert counts[-1].total() <= counts[1].total() + 5, counts[-1] - counts[1]
