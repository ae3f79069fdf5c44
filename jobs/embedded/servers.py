"""Starts and stops both embedded servers together."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from ostinato.jobs.embedded.mongod import start_mongod
from ostinato.jobs.embedded.process import Child, EmbeddedError
from ostinato.jobs.embedded.valkey import start_valkey

STOP_S = 2.0  # after the drain; Ctrl-C may take 5 s in total


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
