"""Ostinato mounted in FastAPI.

OSTINATO_FUNCTIONS=docs.examples.my_functions uvicorn docs.examples.mounted_fastapi:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ostinato import Ostinato

ostinato = Ostinato()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ostinato:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ostinato", ostinato.asgi())


@app.post("/receipts/{recipient}")
async def send_receipt(recipient: str) -> str:
    """Schedule a job from an endpoint of the application."""
    job = await ostinato.schedule("my_functions.receipt", {"recipient": recipient, "amount": 3})
    return job.id
