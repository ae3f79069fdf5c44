"""Profiles the reads that Ostinato sends to MongoDB."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ostinato.jobs.mongo.client import Mongo


@asynccontextmanager
async def profiled(mongo: Mongo, collection: str = "jobs") -> AsyncIterator[list[dict[str, Any]]]:
    """Collect the server's profile of each read of a collection within the block, in order."""
    database, profile = mongo.database, mongo.database["system.profile"]
    reads: list[dict[str, Any]] = []
    await database.command({"profile": 2})
    try:
        yield reads
    finally:
        await database.command({"profile": 0})
    collection_reads = {"op": {"$in": ["query", "command"]}, "ns": f"{database.name}.{collection}"}
    reads += await profile.find(collection_reads).to_list(None)
    await profile.drop()
