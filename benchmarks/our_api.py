"""Runs Ostinato's API process: it serves GraphQL, and its change feed follows every change."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from benchmarks.processes import Program, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import our_env
from ostinato.cli import COMMAND
from ostinato.jobs.embedded.process import Child, free_port

READY_S = 30.0


@dataclass(frozen=True, slots=True)
class OurApi:
    child: Child
    port: int


@contextmanager
def our_api(servers: Servers, env: Mapping[str, str]) -> Iterator[OurApi]:
    """Run an API process inside the block, which starts when the API is ready."""
    port = free_port()
    settings = {**our_env(servers), **env, "OSTINATO_PORT": str(port)}
    program = Program((*COMMAND, "api"), settings)
    with (
        program.running(servers.folder / "api.log") as child,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        wait_until(lambda: _is_ready(client), READY_S, [child])
        yield OurApi(child, port)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False
