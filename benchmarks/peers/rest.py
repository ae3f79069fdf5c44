"""Serves a minimal REST call on Starlette that inserts one document, journaled."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def create_app() -> Starlette:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        os.environ["BENCH_URL"], w="majority", journal=True
    )
    jobs = client["rest"]["jobs"]

    async def schedule_job(request: Request) -> JSONResponse:
        document = _document(await request.json())
        await jobs.insert_one(document)
        due = document["scheduledTime"].isoformat()
        return JSONResponse({"id": document["_id"], "state": "pending", "scheduledTime": due})

    return Starlette(routes=[Route("/jobs", schedule_job, methods=["POST"])])


def _document(body: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    event = {"seq": 1, "at": now, "from": None, "state": "pending", "attempt": 0, "owner": "bench"}
    return {
        "_id": str(ObjectId()),
        "functionName": body["functionName"],
        "args": {"n": body["n"]},
        "owner": "bench",
        "state": "pending",
        "scheduledTime": now + timedelta(milliseconds=body["runAfterMs"]),
        "queue": "default",
        "attempt": 0,
        "version": 1,
        "createdAt": now,
        "timeline": [event],
    }


if __name__ == "__main__":
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
