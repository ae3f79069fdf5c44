"""An application that listens on a free port, like `ostinato api`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from ostinato import Ostinato
from ostinato.jobs.settings import Settings
from ostinato.schema.server.uvicorn_protocols import RawFrameProtocol
from ostinato.schema.server.uvicorn_server import build_server
from tests.processes import eventually
from tests.schema.conftest import PLAIN, WebSockets


@asynccontextmanager
async def served(
    app: Starlette, settings: Settings, ws: WebSockets = RawFrameProtocol
) -> AsyncIterator[int]:
    """Serve the application, and return its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(app, settings)
    if ws == PLAIN:
        server.config.ws = ws
    with listener:  # a server that is canceled does not close it
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            await eventually(lambda: server.started, within=30)
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


@asynccontextmanager
async def hosted(app: ASGIApp, **options: Any) -> AsyncIterator[int]:
    """Serve an application of somebody else with uvicorn's own defaults, and return its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="on", log_config=None, timeout_graceful_shutdown=1)
    for name, value in options.items():
        setattr(config, name, value)
    server = uvicorn.Server(config)
    with listener:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server._serve([listener]))
            await eventually(lambda: server.started or serving.done(), within=30)
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


def mounting(ostinato: Ostinato, prefix: str = "/ostinato", **options: Any) -> Starlette:
    """Return an application that mounts the API, with options of `asgi`, and opens it."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with ostinato:
            yield

    return Starlette(lifespan=lifespan, routes=[Mount(prefix, ostinato.asgi(**options))])
