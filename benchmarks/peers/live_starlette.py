"""Broadcasts pre-encoded text over Starlette's WebSockets, as a handwritten server would."""

import json
import os
from collections import defaultdict

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmarks.peers.live_events import event, publish

open_sockets: defaultdict[int, dict[WebSocket, None]] = defaultdict(dict)


async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    sockets = open_sockets[int(websocket.path_params["topic"])]
    sockets[websocket] = None
    await websocket.send_text("{}")
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        del sockets[websocket]


async def broadcast(topic: int, number: int) -> None:
    payload = {"data": {"jobsChanged": event(number)}}
    message = {"id": "0" * 36, "type": "next", "payload": payload}
    text = json.dumps(message, separators=(",", ":"))
    for websocket in tuple(open_sockets[topic]):
        await websocket.send_text(text)


async def publish_all(request: Request) -> JSONResponse:
    request_body = await request.json()
    return JSONResponse(await publish(**request_body, send=broadcast))


app = Starlette(
    routes=[
        Route("/publish", publish_all, methods=["POST"]),
        WebSocketRoute("/{topic}", listen),
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
