"""Clients that read subscriptions in tests."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.records import Job
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.live_query import LiveQuery
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed

TIMEOUT_S = 30.0
ALL = JobFilter()


class Message(Protocol):
    @property
    def cursor(self) -> str: ...
    @property
    def kind(self) -> ChangeKind: ...


M = TypeVar("M", bound=Message)
N = TypeVar("N")


class Client(Generic[M]):
    """Read a subscription; `async with` closes it."""

    def __init__(self, query: LiveQuery[M]) -> None:
        self._messages = aiter(query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._messages.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def next(self) -> M:
        async with asyncio.timeout(TIMEOUT_S):
            return await anext(self._messages)

    async def take(self, count: int) -> list[M]:
        return [await self.next() for _ in range(count)]

    async def until(self, kind: ChangeKind) -> list[M]:
        """Read and return messages up to the first of that kind."""
        taken = [await self.next()]
        while taken[-1].kind is not kind:
            taken.append(await self.next())
        return taken

    async def ready(self) -> M:
        return (await self.until(ChangeKind.READY))[-1]


async def first_message(query: LiveQuery[N]) -> N:
    """Return the first message, and close the subscription."""
    async with aclosing(aiter(query)) as messages:  # type: ignore[type-var] # it is a generator
        return await anext(messages)


@dataclass(frozen=True, slots=True)
class JobReadCounter:
    """Counts queries on jobs in MongoDB's profiler."""

    mongo: Mongo

    async def count(self) -> int:
        reads = {"op": "query", "ns": self.mongo["jobs"].full_name}
        return await self.mongo["system.profile"].count_documents(reads)


def follow(
    ctx: RequestContext, after: str | None = None, **options: Any
) -> Client[LiveMessage[Job]]:
    return Client(jobs_changed(ctx, ALL, SubscribeOptions(after=after, **options)))


def received(changes: list[LiveMessage[Job]]) -> list[tuple[str | None, int | None]]:
    return [(c.id, c.event.seq if c.event else None) for c in changes]


async def ready_cursor(ctx: RequestContext) -> str:
    """Connect, and return the cursor of READY."""
    async with follow(ctx) as client:
        return (await client.ready()).cursor
