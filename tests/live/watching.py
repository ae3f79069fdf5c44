"""Clients of subscriptions, from the GraphQL document to the encoded messages."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from graphql import OperationType
from strawberry import Schema

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.subscriber import Push
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from tests.live.reading import TIMEOUT_S

JOBS = "subscription($after: Cursor, $snapshot: Boolean! = false, $coalesce: Boolean! = false) {"
JOBS += " jobsChanged(after: $after, snapshot: $snapshot, coalesce: $coalesce) {"
JOBS += " cursor kind jobId event { seq } } }"
JOB = "subscription($id: ID!) { jobChanged(jobId: $id) { cursor kind jobId event { seq } } }"
ANN = Viewer(id="ann")


class Watcher:
    """A client that reads one subscription."""

    def __init__(self, results: Any) -> None:
        self.results = results
        self.encoded: list[EncodedResult] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.results.aclose()

    async def next(self) -> dict[str, Any]:
        """Return the next message; fail if it has errors."""
        async with asyncio.timeout(TIMEOUT_S):
            self.encoded.append(await anext(self.results))
        response = orjson.loads(self.encoded[-1].payload)
        assert "errors" not in response, response
        (message,) = response["data"].values()
        found: dict[str, Any] = message
        return found

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def ready(self) -> str:
        """Read up to READY and return its cursor."""
        while (await self.next())["kind"] != "READY":
            pass
        return str(self.encoded[-1].cursor)

    async def start_waiting(self) -> "asyncio.Task[dict[str, Any]]":
        """Read up to READY, and return a task that waits for the next message."""
        await self.ready()
        return asyncio.create_task(self.next())


@dataclass
class Pushed:
    """A client that accepts pushed frames while `reads` is true."""

    reads: bool = True
    batches: list[bytes] = field(default_factory=list)

    def __call__(self, batch: FrameBatch) -> bool:
        if self.reads:
            self.batches.append(batch.with_prefix(b""))
        return self.reads


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRig:
    """The runners of an API process, over a change feed."""

    runner: OperationRunner
    subscriptions: SubscriptionRunner

    @classmethod
    @asynccontextmanager
    async def open(
        cls, schema: Schema, engine: Engine, feed: ChangeFeed
    ) -> AsyncIterator["SubscriptionRig"]:
        def create_context(viewer: Viewer | None) -> RequestContext:
            return RequestContext(caller=viewer, engine=engine, feed=feed)

        runner = OperationRunner(schema, engine.settings, create_context)
        subscriptions = SubscriptionRunner(runner, engine.settings.subscription_buffer)
        async with aclosing(subscriptions):
            yield cls(runner=runner, subscriptions=subscriptions)

    @property
    def broadcasts(self) -> list[int]:
        """Return the number of subscribers of each broadcast, sorted."""
        return sorted(len(group) for group in self.subscriptions.broadcasts)

    def watch(
        self, query: str = JOBS, viewer: Viewer = ANN, push: Push | None = None, **variables: Any
    ) -> Watcher:
        """Subscribe with the variables of the operation."""
        request = OperationRequest(query=query, variables=variables)
        return Watcher(self._results(request, viewer, push))

    async def _results(
        self, request: OperationRequest, viewer: Viewer, push: Push | None
    ) -> AsyncGenerator[EncodedResult, None]:
        operation = await self.runner.prepare(request)
        assert operation.kind is OperationType.SUBSCRIPTION
        async with aclosing(self.subscriptions.results(operation, viewer, push)) as results:
            async for result in results:
                yield result
