"""The examples of docs/python.md: an application schedules letters and waits for them.

OSTINATO_FUNCTIONS=docs.examples.my_functions,docs.examples.mailing make run

In a second terminal, with the servers of .ostinato/dev.json:
OSTINATO_MONGO_URL=… OSTINATO_REDIS_URL=… python docs/examples/from_python.py
"""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from mailing import send
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient

from ostinato import Call, JobFailed, JobState, Ostinato, sync


async def send_one(app: Ostinato) -> str:
    """Schedule a letter, and wait until it is written."""
    job = await app.schedule(send, {"to": "ada"}, owner="alice", timeout=timedelta(seconds=5))
    return await job.result(timeout=60)


async def send_many(app: Ostinato, readers: list[str]) -> list[str]:
    """Schedule a letter to each reader, all of them or none; a repeated call returns the same."""
    jobs = await app.schedule_many([Call(send, {"to": one}, key=f"june:{one}") for one in readers])
    return [await job.result(timeout=60) for job in jobs]


async def send_by_name(app: Ostinato) -> str:
    """Schedule a function that this process has not imported; report why it failed."""
    job = await app.schedule("my_functions.receipt", {"recipient": "ada"})
    try:
        return str(await job.result(timeout=60))
    except JobFailed as error:
        return f"{error.error.name}: {error.error.message}"


async def send_later(app: Ostinato) -> str:
    """Schedule a letter for later, and cancel it."""
    job = await app.schedule(send, {"to": "ada"}, run_after=timedelta(days=1))
    canceled = await job.cancel()
    return canceled.state.value


async def place_order(app: Ostinato, client: AsyncIOMotorClient[dict[str, Any]]) -> str:
    """Store an order and schedule its letter in one transaction, with the application's client."""
    async with await client.start_session() as session, session.start_transaction():
        await client["shop"]["orders"].insert_one({"reader": "ada"}, session=session)
        job = await app.schedule(send, {"to": "ada"}, session=session)
    return await job.result(timeout=60)


def place_order_in_a_view(app: sync.Ostinato, client: MongoClient[dict[str, Any]]) -> str:
    """Store an order and schedule its letter in one transaction, without async."""
    with client.start_session() as session, session.start_transaction():
        client["shop"]["orders"].insert_one({"reader": "ada"}, session=session)
        job = app.schedule(send, {"to": "ada"}, session=session)
    return job.result(timeout=60)


async def watch(app: Ostinato, cursor: str | None = None) -> None:
    """Print each change of Alice's jobs; a cursor resumes after the last printed change."""
    async with aclosing(app.changes(owner="alice", snapshot=True, after=cursor)) as messages:
        async for message in messages:
            print(message.kind, message.id, message.event and message.event.state)
            cursor = message.cursor
            if message.event is not None and message.event.state is JobState.SUCCESS:
                break


async def main() -> None:
    """Run the examples."""
    async with Ostinato.open() as app:
        print(await send_one(app))
        print(await send_many(app, ["grace", "katherine"]))
        print(await send_by_name(app))
        print(await send_later(app))
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(app.settings.mongo_url)
        print(await place_order(app, client))
        job = await app.schedule(send, {"to": "ada"}, owner="alice", run_after=timedelta(seconds=1))
        print(job.id)
        await watch(app)


def main_without_async() -> None:
    """Run the example of the blocking client."""
    with (
        sync.Ostinato.open() as app,
        MongoClient[dict[str, Any]](app.app.settings.mongo_url) as client,
    ):
        print(place_order_in_a_view(app, client))


if __name__ == "__main__":
    main_without_async()
    asyncio.run(main())
