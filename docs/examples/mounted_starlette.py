"""Ostinato mounted in Starlette: `uvicorn docs.examples.mounted_starlette:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from ostinato import Ostinato

ostinato = Ostinato()


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with ostinato:
        yield


app = Starlette(lifespan=lifespan, routes=[Mount("/ostinato", ostinato.asgi())])
