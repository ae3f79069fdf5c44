"""Starts and stops the embedded servers: a mongod and a Valkey, small enough for a laptop.

The mongod is a replica set with one member; Valkey has an append-only file and evicts nothing.
Both require a password, which is derived from the secret of the data folder.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ostinato.jobs.embedded.binaries import find_mongod, find_valkey
from ostinato.jobs.embedded.data_folder import local_password, write_private
from ostinato.jobs.embedded.process import POLL_S, Child, EmbeddedError, free_port, spawn
from ostinato.jobs.mongo.replica_set import Access, make_primary

STOP_S = 2.0  # after the drain; Ctrl-C may take 5 s in total
REPLICA_SET = "ostinato"
USER = "ostinato"
MONGOD_START_TIMEOUT_S = 60.0  # after a crash it replays its journal first
MISSING_LIBRARY = "error while loading shared libraries"
MONGOD_OPTIONS = {
    "bind_ip": "127.0.0.1",
    "replSet": REPLICA_SET,
    "wiredTigerCacheSizeGB": "0.5",
    "oplogSize": "128",  # MB; grows for the retention below
    "oplogMinRetentionHours": "1",  # how long a subscription's cursor can be resumed
}
MONGOD_PARAMETERS = {
    "transactionLifetimeLimitSeconds": "5",  # a process killed in a transaction leaves locks
    "diagnosticDataCollectionEnabled": "false",
    "enableLocalhostAuthBypass": "false",  # others could create the first user
}
NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
VALKEY_START_TIMEOUT_S = 30.0  # it reads its append-only file first
VALKEY_READY = "Ready to accept connections"
VALKEY_OPTIONS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "databases": "64",  # one for each worker of the test runner
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServers:
    """The server URLs, and the child processes started for them."""

    mongo_url: str
    redis_url: str
    children: tuple[Child, ...]

    def require_alive(self) -> None:
        """Raise EmbeddedError, with the log's tail, if a server has exited."""
        for child in self.children:
            if child.exit_code is not None:
                raise EmbeddedError(
                    f"Unexpected: {child.exit_description}. End of its log: {child.tail()}"
                )

    async def stop(self) -> None:
        """Stop the child processes. Idempotent."""
        await asyncio.gather(*(child.stop(STOP_S) for child in self.children))


async def start_servers(
    directory: Path, *, mongo_url: str | None = None, redis_url: str | None = None
) -> EmbeddedServers:
    """Start a server for each URL that is None, with its data under `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    children: list[Child] = []
    try:
        if redis_url is None:
            valkey, redis_url = await start_valkey(directory)
            children.append(valkey)
        if mongo_url is None:
            mongod, mongo_url = await start_mongod(directory)
            children.append(mongod)
    except BaseException:
        await asyncio.gather(*(child.stop() for child in children))
        raise
    return EmbeddedServers(mongo_url=mongo_url, redis_url=redis_url, children=tuple(children))


async def start_mongod(
    directory: Path, port: int | None = None, parameters: Mapping[str, str] = NO_PARAMETERS
) -> tuple[Child, str]:
    """Start mongod on a data folder and return it with its URL once it accepts writes."""
    port = port or free_port()
    data = directory / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    access = mongod_access(directory)
    key_file = directory / "mongod.key"
    write_private(key_file, access.key)
    options = {**MONGOD_OPTIONS, "keyFile": str(key_file)}
    log = directory / "mongod.log"
    log.unlink(missing_ok=True)
    child = spawn("mongod", mongod_command(data, port, options, parameters), log=log)
    try:
        await _mongod_ready(child, port, access)
    except BaseException:
        await child.stop()
        raise
    return child, mongod_url(directory, port)


def mongod_url(directory: Path, port: int) -> str:
    """Return the URL, with the password, of the mongod that `start_mongod` starts."""
    password = mongod_access(directory).password
    return f"mongodb://{USER}:{password}@127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def mongod_access(directory: Path) -> Access:
    """Return the key and the user of the mongod on a data folder."""
    return Access(
        key=local_password(directory, "mongod key file"),
        user=USER,
        password=local_password(directory, "mongod"),
    )


def mongod_command(
    data: Path, port: int, options: Mapping[str, str], parameters: Mapping[str, str] = NO_PARAMETERS
) -> list[str]:
    """Build the command line of a mongod."""
    command = [str(find_mongod()), "--dbpath", str(data), "--port", str(port), "--nounixsocket"]
    for name, value in options.items():
        command += [f"--{name}", value]
    for name, value in {**MONGOD_PARAMETERS, **parameters}.items():
        command += ["--setParameter", f"{name}={value}"]
    return command


async def _mongod_ready(child: Child, port: int, access: Access) -> None:
    primary = asyncio.create_task(make_primary(f"127.0.0.1:{port}", REPLICA_SET, access))
    death = asyncio.create_task(child.wait())
    try:
        await asyncio.wait(
            {primary, death}, timeout=MONGOD_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if primary.done() and primary.result() == child.popen.pid:
            return
        if primary.done():  # another mongod has the port: this one is about to exit
            await asyncio.wait({death}, timeout=MONGOD_START_TIMEOUT_S)
        raise EmbeddedError(_describe_failure(child))
    finally:
        primary.cancel()
        death.cancel()
        await asyncio.gather(primary, death, return_exceptions=True)


def _describe_failure(child: Child) -> str:
    tail = child.tail()
    if MISSING_LIBRARY in tail:
        return f"mongod needs system libraries; run: apt-get install -y libcurl4 ({tail})"
    if child.exit_code is None:
        within = f"{MONGOD_START_TIMEOUT_S:.0f} s"
        return f"mongod did not become ready within {within}. End of its log: {tail}"
    return f"{child.exit_description}. End of its log {child.log}: {tail}"


async def start_valkey(directory: Path, port: int | None = None) -> tuple[Child, str]:
    """Start Valkey on a data folder and return it with its URL once it answers."""
    port = port or free_port()
    data = directory / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    config = directory / "valkey.conf"
    write_private(config, f"requirepass {local_password(directory, 'valkey')}\n")
    log = directory / "valkey.log"
    log.unlink(missing_ok=True)
    child = spawn("valkey", valkey_command(data, port, config), log=log)
    try:
        async with asyncio.timeout(VALKEY_START_TIMEOUT_S):
            await _valkey_ready(child, log)
    except TimeoutError as error:
        await child.stop()
        raise EmbeddedError(
            f"valkey-server did not answer within {VALKEY_START_TIMEOUT_S:.0f} s"
        ) from error
    except BaseException:
        await child.stop()
        raise
    return child, valkey_url(directory, port)


def valkey_url(directory: Path, port: int) -> str:
    """Return the URL, with the password, of the Valkey that `start_valkey` starts."""
    return f"redis://:{local_password(directory, 'valkey')}@127.0.0.1:{port}/0"


def valkey_command(data: Path, port: int, config: Path | None = None) -> list[str]:
    """Build the command line of a Valkey; options override those in the configuration file."""
    command = [str(find_valkey()), *([str(config)] if config else [])]
    command += ["--port", str(port), "--dir", str(data)]
    for name, value in VALKEY_OPTIONS.items():
        command += [f"--{name}", value]
    return command


async def _valkey_ready(child: Child, log: Path) -> None:
    """Wait until the server logs that it is ready.

    Another server may have taken the port since it was chosen: it must not receive the password.
    """
    while VALKEY_READY not in log.read_text(errors="replace"):
        if child.exit_code is not None:
            raise EmbeddedError(f"{child.exit_description}: {child.tail()}")
        await asyncio.sleep(POLL_S)
