"""Initiates single-member replica sets, and checks a server's topology by its `hello` reply."""

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from ostinato.jobs.findings import Finding

NOT_YET_INITIALIZED = 94
ALREADY_INITIALIZED = 23
POLL_S = 0.02
RESPONSE_TIMEOUT_MS = 3_000  # for a mongod that is already listening

FIX_SHARDED: Final = (
    "set OSTINATO_MONGO_URL to a replica set that is not part of a sharded cluster; three small "
    "members are enough"
)
FIX_STANDALONE: Final = (
    "start mongod with `--replSet rs0`, run `rs.initiate()` once in mongosh, and add "
    "`?replicaSet=rs0` to OSTINATO_MONGO_URL"
)

Client = MongoClient[dict[str, Any]]


def check_topology(hello: Mapping[str, Any]) -> Finding:
    """Check by a `hello` reply whether a server supports transactions and change streams."""
    subject = "replica set"
    if hello.get("msg") == "isdbgrid":
        detail = "The MongoDB server is a mongos of a sharded cluster, which is not supported"
        return Finding(subject=subject, detail=detail, fix=FIX_SHARDED)
    if name := hello.get("setName"):
        return Finding(subject=subject, detail=f"member of {name}")
    detail = "The MongoDB server is not a member of a replica set"
    return Finding(subject=subject, detail=detail, fix=FIX_STANDALONE)


class _Stopped(Exception):
    """The caller no longer waits for the replica set."""


async def make_primary(address: str, name: str) -> int:
    """Make the mongod at `host:port` the primary of its own set; wait until it accepts writes.

    Returns the server's process id for comparison: the port may belong to another server.

    Cancellable at any time; returns after the reply to the pending command. Runs in a thread:
    interrupting an asynchronous connect would leak the connection.
    """
    stop = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(_make_primary, address, name, stop))
    try:
        return await asyncio.shield(work)
    finally:
        stop.set()
        with suppress(_Stopped):
            await work


def _make_primary(address: str, name: str, stop: threading.Event) -> int:
    _wait_until_listening(address, stop)
    client: Client = MongoClient(
        address,
        directConnection=True,
        serverSelectionTimeoutMS=RESPONSE_TIMEOUT_MS,
        connectTimeoutMS=RESPONSE_TIMEOUT_MS,
        socketTimeoutMS=RESPONSE_TIMEOUT_MS,
        heartbeatFrequencyMS=500,
        serverMonitoringMode="poll",
    )
    with client:
        while True:
            try:
                return _primary_pid(client, address, name, stop)
            except AutoReconnect:  # mongod closes connections when its role changes
                _pause(stop)


def _primary_pid(client: Client, address: str, name: str, stop: threading.Event) -> int:
    """Configure the set, wait until mongod is its primary, and return its process id."""
    _configure(client, address, name, stop)
    while not client.admin.command("hello")["isWritablePrimary"]:
        _pause(stop)
    return int(client.admin.command("serverStatus")["pid"])


def _wait_until_listening(address: str, stop: threading.Event) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            _pause(stop)
        else:
            return


def _pause(stop: threading.Event) -> None:
    if stop.is_set():
        raise _Stopped
    time.sleep(POLL_S)


def _configure(client: Client, address: str, name: str, stop: threading.Event) -> None:
    members = [{"_id": 0, "host": address}]
    while (config := _config(client)) is None:
        if _is_initiated(client, {"_id": name, "members": members}):
            return
        _pause(stop)  # the configuration exists, but is not loaded yet
    if config["members"][0]["host"] != address:
        moved = {**config, "members": members, "version": config["version"] + 1}
        client.admin.command("replSetReconfig", moved, force=True)


def _config(client: Client) -> dict[str, Any] | None:
    try:
        config: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        return None
    return config


def _is_initiated(client: Client, config: dict[str, Any]) -> bool:
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
        return False
    return True
