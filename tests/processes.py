"""Real API and worker processes for tests, and `eventually`, which waits for a condition."""

import asyncio
import inspect
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

import httpx
import pytest
from pydantic import SecretStr

from ostinato.cli import COMMAND
from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from tests.forking import fork

ROOT = Path(__file__).parent.parent
OSTINATO = COMMAND
START_S = 60.0
TLS = ssl.create_default_context()
"""Shared by all HTTP clients of the tests, since each would build its own context."""
POLL_S = 0.02

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T]], within: float = ...) -> T: ...
@overload
async def eventually(check: Callable[[], T], within: float = ...) -> T: ...
async def eventually(check: Callable[[], Awaitable[T] | T], within: float = 30.0) -> T:
    """Return the first true value of the check; fail if there is none within this many seconds."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        value: T = await found if inspect.isawaitable(found) else found
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within} s"
        await asyncio.sleep(POLL_S)


def is_running(pid: int) -> bool:
    """Return whether a process exists and has not ended; a zombie has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProcess:
    """A real `ostinato api`; `child.popen.kill()` is kill -9."""

    child: Child
    settings: Settings

    @property
    def address(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}/graphql"

    def token(self, sub: str = "alice", *roles: str, ttl_s: int = 3_600) -> str:
        return issue_token(self.settings, sub, roles, ttl_s)

    async def ready(self) -> None:
        """Wait until it is ready; fail with its log if it does not become ready."""
        deadline = time.monotonic() + START_S
        async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
            while not await self._is_ready(client):
                assert self.child.exit_code is None, self.child.tail()
                assert time.monotonic() < deadline, self.child.tail()
                await asyncio.sleep(POLL_S)

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/readyz")).is_success
        except httpx.TransportError:
            return False


class Processes:
    """Start API and worker processes; all end with the test."""

    def __init__(self, settings: Settings, logs: Path, stack: AsyncExitStack) -> None:
        self._settings, self._logs, self._stack = settings, logs, stack
        self._count = 0

    async def api(self, **changes: object) -> ApiProcess:
        """Start an API on a free port (or on `port=`) and wait until it is ready."""
        settings = self._settings.model_copy(update={"port": free_port(), **changes})
        server = ApiProcess(child=self._spawn("api", settings), settings=settings)
        await server.ready()
        return server

    async def api_with_open_files(self, limit: int, **changes: object) -> ApiProcess:
        """Start an API that may open at most `limit` files, and wait until it is ready."""
        settings = self._settings.model_copy(update={"port": free_port(), **changes})
        limited = ("/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *OSTINATO, "api")
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment(settings)}
        child = spawn("api", limited, log=self._logs / "limited.log", env=env)
        self._stack.push_async_callback(child.stop)
        server = ApiProcess(child=child, settings=settings)
        await server.ready()
        return server

    def worker(self, *options: str, **changes: object) -> Child:
        """Start a worker, without waiting until it is ready."""
        return self._spawn("worker", self._settings.model_copy(update=changes), *options)

    def _spawn(self, command: str, settings: Settings, *options: str) -> Child:
        self._count += 1
        log = self._logs / f"{command}-{self._count}.log"
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment(settings)}
        start = spawn if "COVERAGE_PROCESS_CONFIG" in os.environ else fork
        child = start(command, [*OSTINATO, command, *options], log=log, env=env)
        self._stack.push_async_callback(child.stop)
        return child


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make a process read these settings."""
    values = ((name, getattr(settings, name)) for name in Settings.model_fields)
    return {f"OSTINATO_{name.upper()}": _text(value) for name, value in values if value is not None}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)


@pytest.fixture
async def processes(settings: Settings, tmp_path: Path) -> AsyncIterator[Processes]:
    """Return a starter of API and worker processes, which end with the test."""
    async with AsyncExitStack() as stack:
        yield Processes(settings, tmp_path, stack)


@pytest.fixture
async def api_server(processes: Processes) -> ApiProcess:
    """Return a running `ostinato api` on a free port."""
    return await processes.api()


@pytest.fixture
async def worker_process(processes: Processes) -> Child:
    """Return a running `ostinato worker`."""
    return processes.worker()
