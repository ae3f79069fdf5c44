"""Serves the subscription with Strawberry's handler: each socket executes each event."""

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
    def of(cls, event: dict[str, Any]) -> "JobChange":
        return cls(
            cursor=event["cursor"],
            kind=event["kind"],
            job_id=event["jobId"],
            event=Event(**event["event"]),
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
    new_event = event(number)
    for queue in queues[topic]:
        queue.put_nowait(new_event)


async def publish_all(request: Request) -> JSONResponse:
    request_body = await request.json()
    return JSONResponse(await publish(**request_body, send=broadcast))


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
