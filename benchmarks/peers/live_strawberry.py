"""Serves the same subscription with Strawberry's own handler: each socket executes each event."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from benchmarks.peers.live_events import event, publish

queues: defaultdict[int, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)


@strawberry.type
class Event:
    seq: int
    state: str
    at: str


@strawberry.type
class JobChange:
    cursor: str
    kind: str
    job_id: str
    event: Event | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> "JobChange":
        return cls(
            cursor=told["cursor"],
            kind=told["kind"],
            job_id=told["jobId"],
            event=Event(**told["event"]),
        )


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def jobs_changed(self, topic: int) -> AsyncGenerator[JobChange, None]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queues[topic].add(queue)
        try:
            yield JobChange.of(event(0))
            while True:
                yield JobChange.of(await queue.get())
        finally:
            queues[topic].discard(queue)


async def broadcast(topic: int, number: int) -> None:
    told = event(number)
    for queue in queues[topic]:
        queue.put_nowait(told)


async def publish_all(request: Request) -> JSONResponse:
    told = await request.json()
    return JSONResponse(await publish(**told, send=broadcast))


graphql = GraphQL[None, None](strawberry.Schema(Query, subscription=Subscription))
app = Starlette(
    routes=[
        Route("/publish", publish_all, methods=["POST"]),
        WebSocketRoute("/graphql", graphql),
    ]
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_level="error",
    )
