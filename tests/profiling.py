"""Owns what MongoDB itself says of the reads that the product really sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ostinato.jobs.mongo.client import Mongo


@asynccontextmanager
async def profiled(mongo: Mongo, collection: str = "jobs") -> AsyncIterator[list[dict[str, Any]]]:
    """Collect what the server says of each read of a collection meanwhile, in their order."""
    database, profile = mongo.database, mongo.database["system.profile"]
    reads: list[dict[str, Any]] = []
    await database.command({"profile": 2})
    try:
        yield reads
    finally:
        await database.command({"profile": 0})
    of_it = {"op": {"$in": ["query", "command"]}, "ns": f"{database.name}.{collection}"}
    reads += await profile.find(of_it).to_list(None)
    await profile.drop()
