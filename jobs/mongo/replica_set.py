"""Owns the making of a replica set of one out of a fresh or moved mongod."""

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

NOT_YET_INITIALIZED = 94
POLL_S = 0.02

Client = AsyncMongoClient[dict[str, Any]]


async def make_primary(address: str, name: str) -> None:
    """Make the mongod at `host:port` the primary of its own set; wait until it takes writes.

    May be cancelled at any time: PyMongo would leave the socket of a connection that is cut
    while it is made, so none is made before mongod listens, and one alone for watching it.
    """
    await _listening(address)
    client: Client = AsyncMongoClient(
        address,
        directConnection=True,
        serverSelectionTimeoutMS=60_000,
        heartbeatFrequencyMS=500,
        serverMonitoringMode="poll",
    )
    async with client:
        await _configure(client, address, name)
        while not (await client.admin.command("hello"))["isWritablePrimary"]:
            await asyncio.sleep(POLL_S)


async def _listening(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(POLL_S)
            continue
        writer.close()
        return await writer.wait_closed()


async def _configure(client: Client, address: str, name: str) -> None:
    members = [{"_id": 0, "host": address}]
    try:
        config = (await client.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        await client.admin.command("replSetInitiate", {"_id": name, "members": members})
        return
    if config["members"][0]["host"] != address:
        moved = {**config, "members": members, "version": config["version"] + 1}
        await client.admin.command("replSetReconfig", moved, force=True)
