"""A small deployment: the application, the API and a worker in one process.

uvicorn docs.examples.one_process:app --timeout-graceful-shutdown 3
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ostinato import Context, Ostinato, action


@action(public=True)
async def greet(_ctx: Context, name: str) -> str:
    """Return a greeting."""
    return f"Hello, {name}"


ostinato = Ostinato(worker=True)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ostinato:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ostinato", ostinato.asgi())


@app.post("/greetings/{name}")
async def send_greeting(name: str) -> str:
    """Schedule a job and wait for its result."""
    job = await ostinato.schedule(greet, {"name": name})
    return await job.result(timeout=30)
