"""Servers without access control, on the data of the embedded ones."""

import asyncio
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.embedded.servers import MONGOD_OPTIONS, mongod_command, valkey_command
from tests.processes import eventually


async def start_open_mongod(folder: Path) -> tuple[Child, str]:
    """Start a replica set; returns its process and URL."""
    port = free_port()
    (folder / "mongo").mkdir()
    command = mongod_command(folder / "mongo", port, MONGOD_OPTIONS)
    child = spawn("mongod", command, log=folder / "open.log")
    with MongoClient[dict[str, Any]](port=port, directConnection=True) as client:
        config = {"_id": "ostinato", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
        await asyncio.to_thread(client.admin.command, "replSetInitiate", config)
        await eventually(lambda: client.admin.command("hello")["isWritablePrimary"])
    return child, f"mongodb://127.0.0.1:{port}/?replicaSet=ostinato"


async def start_open_valkey(folder: Path) -> tuple[Child, str]:
    """Start a Valkey; returns its process and URL."""
    port = free_port()
    (folder / "valkey").mkdir()
    child = spawn("valkey", valkey_command(folder / "valkey", port), log=folder / "open.log")
    await eventually(lambda: "Ready to accept" in child.tail())
    return child, f"redis://127.0.0.1:{port}/0"
