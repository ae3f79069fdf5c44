"""Initiates single-member replica sets, and checks a server's topology by its `hello` reply."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from ostinato.jobs.findings import Finding

NOT_YET_INITIALIZED = 94
ALREADY_INITIALIZED = 23
USER_NOT_FOUND = 11
AUTHENTICATION_FAILED = 18
SYSTEM_USER: Final = "__system"
"""With the key file's content as its password, this user may do everything. Others cannot use
MongoDB's localhost exception meanwhile: the embedded mongod disables it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The access control of a replica set."""

    key: str = field(repr=False)
    """The content of the key file: the password of the members' own user, `__system`."""
    user: str
    password: str = field(repr=False)
    """Of `user`, which gets the role `root`."""


async def make_primary(address: str, name: str, access: Access) -> int | None:
    """Make the mongod at `host:port` the primary of its own set; wait until it accepts writes.

    Creates the user, or changes its password. The mongod must have been started with the key file.
    Returns the server's process id for comparison: the port may belong to another server. Returns
    None if the server has another key.

    Cancellable at any time; returns after the reply to the pending command. Runs in a thread:
    interrupting an asynchronous connect would leak the connection.
    """
    stop = threading.Event()
    setup = partial(_make_primary, address, name, access)
    work = asyncio.ensure_future(asyncio.to_thread(setup, stop))
    try:
        return await asyncio.shield(work)
    finally:
        stop.set()
        with suppress(_Stopped):
            await work


def acknowledge_before_journal(url: str) -> None:
    """Make a replica set acknowledge majority writes before they are on disk, in a tenth of the
    time: for data that need not survive a crash."""
    with MongoClient[dict[str, Any]](url) as client:
        config = client.admin.command("replSetGetConfig")["config"]
        changes = {"version": config["version"] + 1, "writeConcernMajorityJournalDefault": False}
        client.admin.command("replSetReconfig", {**config, **changes})


def _make_primary(address: str, name: str, access: Access, stop: threading.Event) -> int | None:
    _wait_until_listening(address, stop)
    client: Client = MongoClient(
        address,
        username=SYSTEM_USER,
        password=access.key,
        authSource="local",
        directConnection=True,
        serverSelectionTimeoutMS=RESPONSE_TIMEOUT_MS,
        connectTimeoutMS=RESPONSE_TIMEOUT_MS,
        socketTimeoutMS=RESPONSE_TIMEOUT_MS,
        heartbeatFrequencyMS=500,
        serverMonitoringMode="poll",
    )

    def set_up() -> int:
        _configure(client, address, name, stop)
        return _primary_pid(client, access, stop)

    with client:
        return _repeat_while_disconnected(set_up, stop)


def _repeat_while_disconnected(set_up: Callable[[], int], stop: threading.Event) -> int | None:
    """Return the result; None if the server rejects the key."""
    while True:
        try:
            return set_up()
        except AutoReconnect:  # mongod closes connections when its role changes
            _pause(stop)
        except OperationFailure as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
            return None


def _primary_pid(client: Client, access: Access, stop: threading.Event) -> int:
    """Wait until mongod is the primary, create the user, and return its process id."""
    while not client.admin.command("hello")["isWritablePrimary"]:
        _pause(stop)
    _set_password(client, access)
    return int(client.admin.command("serverStatus")["pid"])


def _set_password(client: Client, access: Access) -> None:
    user = {"pwd": access.password, "roles": ["root"], "mechanisms": ["SCRAM-SHA-256"]}
    try:
        client.admin.command({"updateUser": access.user, **user})
    except OperationFailure as error:
        if error.code != USER_NOT_FOUND:
            raise
        client.admin.command({"createUser": access.user, **user})


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
