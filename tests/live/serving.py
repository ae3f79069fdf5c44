"""An application that listens on a free port, like `ostinato api`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

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
