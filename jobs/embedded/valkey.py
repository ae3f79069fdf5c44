"""The embedded Valkey: with an append-only file and without eviction."""

import asyncio
from pathlib import Path

from ostinato.jobs.embedded.binaries import find_valkey
from ostinato.jobs.embedded.ports import free_port
from ostinato.jobs.embedded.process import POLL_S, Child, EmbeddedError, spawn

START_TIMEOUT_S = 10.0  # it reads its append-only file first
OPTIONS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "databases": "64",  # one for each worker of the test runner
}


async def start_valkey(directory: Path, port: int | None = None) -> tuple[Child, str]:
    """Start Valkey on a data folder and return it with its URL once it answers."""
    port = port or free_port()
    data = directory / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    command = [str(find_valkey()), "--port", str(port), "--dir", str(data)]
    for name, value in OPTIONS.items():
        command += [f"--{name}", value]
    log = directory / "valkey.log"
    log.unlink(missing_ok=True)
    child = spawn("valkey", command, log=log)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await _ready(child, port)
    except TimeoutError as error:
        await child.stop()
        raise EmbeddedError(
            f"valkey-server did not answer within {START_TIMEOUT_S:.0f} s"
        ) from error
    except BaseException:
        await child.stop()
        raise
    return child, f"redis://127.0.0.1:{port}/0"


async def _ready(child: Child, port: int) -> None:
    # Another server may have taken the port since it was chosen.
    while await _pid_of_server(port) != child.popen.pid:
        if child.exit_code is not None:
            raise EmbeddedError(f"{child.exit_description}: {child.tail()}")
        await asyncio.sleep(POLL_S)


async def _pid_of_server(port: int) -> int | None:
    """Query INFO over a plain socket: only jobs/arq_queue may import the Redis library."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    try:
        writer.write(b"PING\r\nINFO server\r\n")
        if not (await reader.readline()).startswith(b"+PONG"):
            return None
        while line := await reader.readline():
            name, _, value = line.partition(b":")
            if name == b"process_id":
                return int(value)
    except (OSError, ValueError):
        return None
    finally:
        writer.close()
    return None
