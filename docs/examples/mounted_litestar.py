"""Ostinato mounted in Litestar: `uvicorn docs.examples.mounted_litestar:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, asgi

from ostinato import Ostinato

ostinato = Ostinato()


@asynccontextmanager
async def lifespan(_app: Litestar) -> AsyncIterator[None]:
    async with ostinato:
        yield


mount = asgi("/ostinato", is_mount=True, copy_scope=True)
app = Litestar([mount(ostinato.asgi())], lifespan=[lifespan])
