"""Transactions of an application, on clients of its own: of Motor, and of PyMongo in both forms."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient

from ostinato.jobs.transactions.job_group import CallerSession

Document = dict[str, Any]


class Rollback(Exception):
    """Raised to abort a transaction."""


Schedule = Callable[[CallerSession], Awaitable[object]]


class Orders:
    """The application's own collection, which each transaction also writes."""

    def __init__(self, client: Any, database: str) -> None:
        self.client = client
        self._orders = client[database]["orders"]

    @asynccontextmanager
    async def transaction(self, order: Document | None = None) -> AsyncIterator[CallerSession]:
        """Write an order in a transaction; commit on exit, abort after an error."""
        if isinstance(self.client, MongoClient):
            with self.client.start_session() as session, session.start_transaction():
                self._orders.insert_one({**(order or {})}, session=session)
                yield session
            return
        session = self.client.start_session()
        if isinstance(self.client, AsyncIOMotorClient):
            session = await session
        async with session, await _started(session):
            await self._orders.insert_one({**(order or {})}, session=session)
            yield session


async def _started(session: Any) -> Any:
    started = session.start_transaction()
    return await started if isinstance(started, Awaitable) else started


@asynccontextmanager
async def connected(driver: str, url: str) -> AsyncIterator[Any]:
    """Connect a client of a driver: `motor`, `async` or `sync`."""
    if driver == "motor":
        motor: AsyncIOMotorClient[Document] = AsyncIOMotorClient(url)
        yield motor
        motor.close()
    elif driver == "async":
        async with AsyncMongoClient[Document](url) as client:
            yield client
    else:
        with MongoClient[Document](url) as blocking:
            yield blocking
