"""The embedded mongod: a single-member replica set, small enough for a laptop."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ostinato.jobs.embedded.binaries import find_mongod
from ostinato.jobs.embedded.ports import free_port
from ostinato.jobs.embedded.process import Child, EmbeddedError, spawn
from ostinato.jobs.mongo.replica_set import make_primary

REPLICA_SET = "ostinato"
START_TIMEOUT_S = 20.0  # after a crash it replays its journal first
MISSING_LIBRARY = "error while loading shared libraries"
OPTIONS = {
    "bind_ip": "127.0.0.1",
    "replSet": REPLICA_SET,
    "wiredTigerCacheSizeGB": "0.5",
    "oplogSize": "128",  # MB; grows for the retention below
    "oplogMinRetentionHours": "1",  # how long a subscription's cursor can be resumed
}
PARAMETERS = {
    "transactionLifetimeLimitSeconds": "5",  # a process killed in a transaction leaves locks
    "diagnosticDataCollectionEnabled": "false",
}
NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


async def start_mongod(
    directory: Path, port: int | None = None, parameters: Mapping[str, str] = NO_PARAMETERS
) -> tuple[Child, str]:
    """Start mongod on a data folder and return it with its URL once it accepts writes."""
    port = port or free_port()
    data = directory / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    command = command_of(data, port, OPTIONS, parameters)
    log = directory / "mongod.log"
    log.unlink(missing_ok=True)
    child = spawn("mongod", command, log=log)
    try:
        await _ready(child, port)
    except BaseException:
        await child.stop()
        raise
    return child, f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def command_of(
    data: Path, port: int, options: Mapping[str, str], parameters: Mapping[str, str] = NO_PARAMETERS
) -> list[str]:
    """Build the command line of a mongod."""
    command = [str(find_mongod()), "--dbpath", str(data), "--port", str(port), "--nounixsocket"]
    for name, value in options.items():
        command += [f"--{name}", value]
    for name, value in {**PARAMETERS, **parameters}.items():
        command += ["--setParameter", f"{name}={value}"]
    return command


async def _ready(child: Child, port: int) -> None:
    primary = asyncio.create_task(make_primary(f"127.0.0.1:{port}", REPLICA_SET))
    death = asyncio.create_task(child.wait())
    try:
        await asyncio.wait(
            {primary, death}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if primary.done() and primary.result() == child.popen.pid:
            return
        if primary.done():  # another mongod has the port: this one is about to exit
            await asyncio.wait({death}, timeout=START_TIMEOUT_S)
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
        return f"mongod did not become ready within {START_TIMEOUT_S:.0f} s. End of its log: {tail}"
    return f"{child.exit_description}. End of its log {child.log}: {tail}"
