"""`ostinato dev`: starts the embedded servers, the API and a worker, and stops them together."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ostinato.jobs.async_tools.cancellation import cancel_and_wait
from ostinato.jobs.embedded.data_folder import (
    SHARED_VARIABLES,
    delete_description,
    dev_description,
    local_secret,
    locked,
)
from ostinato.jobs.embedded.flaky_api import serving_flaky_api
from ostinato.jobs.embedded.process import (
    Child,
    EmbeddedError,
    ProcessSupervisor,
    free_port,
    require_free,
)
from ostinato.jobs.embedded.servers import EmbeddedServers, start_servers
from ostinato.jobs.settings import Settings

READY_TIMEOUT_S = 120.0  # a busy machine is slow; a process that exits is noticed at once
DRAIN_MS = 1_500  # Ctrl-C may take 5 s in total
PROCESS_STOP_TIMEOUT_S = 2.5
POLL_S = 0.1
PROCESSES = ("api", "worker")
MAX_RESTARTS = 10
RESTART_WINDOW_S = 10.0  # more frequent kills indicate a crash loop

ConnectionInfo = dict[str, str]


@dataclass(slots=True)
class RestartPolicy:
    """Replaces killed processes; raises EmbeddedError if a process exits by itself.

    Developers kill processes to try out crash recovery. A process that exits by itself has logged
    the cause, and would exit again.
    """

    echo: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    restarted_at: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RESTARTS))

    def __call__(self, child: Child, ran_s: float) -> float:
        """Return the delay before the restart, always 0."""
        if child.exit_code is not None and child.exit_code >= 0:
            raise EmbeddedError(f"Unexpected: {child.exit_description}.")
        if self._restarts_too_often():
            how_often = f"{MAX_RESTARTS} restarts in {RESTART_WINDOW_S:g} s"
            raise EmbeddedError(f"Unexpected: {child.exit_description}, after {how_often}.")
        self.restarted_at.append(self.clock())
        self.echo(f"Unexpected: {child.exit_description}. Restarting it.")
        return 0.0

    def _restarts_too_often(self) -> bool:
        recent = self.restarted_at
        return len(recent) == MAX_RESTARTS and self.clock() - recent[0] < RESTART_WINDOW_S


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """One run of `ostinato dev`."""

    folder: Path
    command: tuple[str, ...]
    """The command line of Ostinato; `api` or `worker` is appended."""
    issue_token: Callable[[str, str, tuple[str, ...]], str]
    """Signs a token: secret, user, roles."""
    echo: Callable[[str], None]
    reloads: bool = False
    """Whether an edit of a Python file below the current folder restarts the API and the worker."""

    async def run(self, settings: Settings) -> None:
        """Run until a signal; raises EmbeddedError if a process exits or fails to start."""
        session = asyncio.create_task(self._session(settings))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt, session)
        try:
            await session
        except asyncio.CancelledError:
            self.echo("Stopped.")

    def _interrupt(self, session: "asyncio.Task[None]") -> None:
        """Stop at the first signal; later ones must not interrupt the shutdown."""
        if not session.cancelling():
            session.cancel()
            self.echo("Stopping…")

    async def _session(self, settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            stack.enter_context(locked(self.folder))
            edited: set[str] = set()
            if self.reloads:
                watching = asyncio.create_task(collect_edits(Path.cwd(), edited, self.echo))
                stack.push_async_callback(cancel_and_wait, watching)
            delete_description(self.folder)
            port = settings.port or free_port(settings.host)
            require_free(settings.host, port, "OSTINATO_PORT")
            servers = await self._servers(settings)
            stack.push_async_callback(servers.stop)
            flaky_url = stack.enter_context(serving_flaky_api())
            description = {
                **self._describe(settings, f"{settings.host}:{port}", servers),
                "flakyUrl": flaky_url,
            }
            processes = ProcessSupervisor(
                {name: (*self.command, name, "--supervised") for name in PROCESSES},
                RestartPolicy(self.echo),
                self._env(settings, port, description),
            )
            stack.push_async_callback(processes.stop, PROCESS_STOP_TIMEOUT_S)
            self.echo("Starting the API and a worker…")
            processes.check()
            await _wait_until_ready(f"{description['pageUrl']}readyz", servers, processes)
            stack.enter_context(dev_description(self.folder, description))
            self._announce(description)
            if self.reloads:
                await self._run_and_reload(servers, processes, edited)
            else:
                await _monitor(servers, processes)

    async def _run_and_reload(
        self, servers: EmbeddedServers, processes: ProcessSupervisor, edited: set[str]
    ) -> None:
        """Restart the processes after each edit, also after they have exited with an error."""
        while True:
            try:
                await _monitor(servers, processes, edited)
            except EmbeddedError as error:
                servers.require_alive()
                self.echo(f"{error} Edit a file to start again.")
                while not edited:
                    servers.require_alive()
                    await asyncio.sleep(POLL_S)
            self.echo(f"{', '.join(sorted(edited))} changed. Restarting the API and the worker…")
            edited.clear()
            await processes.restart(PROCESS_STOP_TIMEOUT_S)

    async def _servers(self, settings: Settings) -> EmbeddedServers:
        given = settings.model_fields_set
        self._print_servers(settings)
        return await start_servers(
            self.folder,
            mongo_url=settings.mongo_url if "mongo_url" in given else None,
            redis_url=settings.redis_url if "redis_url" in given else None,
        )

    def _print_servers(self, settings: Settings) -> None:
        urls = {"MongoDB": ("mongo_url", settings.mongo_url)}
        urls["Valkey"] = ("redis_url", settings.redis_url)
        started = [
            name for name, (setting, _) in urls.items() if not self._is_given(settings, setting)
        ]
        for setting, url in urls.values():
            if self._is_given(settings, setting):
                where = url.rpartition("@")[2].rpartition("://")[2].partition("?")[0]
                self.echo(f"Using the server at {where}, from OSTINATO_{setting.upper()}")
        if started:
            self.echo(f"Starting {' and '.join(started)}…")

    @staticmethod
    def _is_given(settings: Settings, field: str) -> bool:
        return field in settings.model_fields_set

    def _describe(
        self, settings: Settings, address: str, servers: EmbeddedServers
    ) -> ConnectionInfo:
        secret = self._secret(settings)
        return {
            "pageUrl": f"http://{address}/",
            "graphqlUrl": f"http://{address}/graphql",
            "wsUrl": f"ws://{address}/graphql",
            "graphiqlUrl": f"http://{address}/graphiql",
            "token": self.issue_token(secret, "alice", ()),
            "otherToken": self.issue_token(secret, "bob", ()),
            "adminToken": self.issue_token(secret, "admin", ("admin",)),
            "mongoUrl": servers.mongo_url,
            "redisUrl": servers.redis_url,
            **{
                key: os.environ[name]
                for key, name in SHARED_VARIABLES.items()
                if name in os.environ
            },
        }

    def _secret(self, settings: Settings) -> str:
        given = settings.jwt_secret
        return given.get_secret_value() if given else local_secret(self.folder)

    def _env(self, settings: Settings, port: int, info: ConnectionInfo) -> dict[str, str]:
        return {
            "OSTINATO_ALLOWED_HOSTS_HTTP": urlsplit(info["flakyUrl"]).netloc,
            "OSTINATO_DRAIN_TIMEOUT_MS": str(DRAIN_MS),
            **os.environ,
            "OSTINATO_MODE": "development",
            "OSTINATO_HOST": settings.host,
            "OSTINATO_PORT": str(port),
            "OSTINATO_MONGO_URL": info["mongoUrl"],
            "OSTINATO_REDIS_URL": info["redisUrl"],
            "OSTINATO_JWT_SECRET": self._secret(settings),
            "OSTINATO_DEVELOPMENT_TOKEN": info["token"],
            "OSTINATO_DEVELOPMENT_FLAKY_URL": info["flakyUrl"],
        }

    def _announce(self, info: ConnectionInfo) -> None:
        self.echo(
            "\nOstinato is running. Ctrl-C stops it.\n\n"
            f"  Live page  {info['pageUrl']}\n"
            f"  GraphiQL   {info['graphiqlUrl']}\n"
            f"  GraphQL    {info['graphqlUrl']}\n"
            f"  WebSocket  {info['wsUrl']}\n\n"
            f"  Token of alice: {info['token']}\n"
            "  Tokens of bob and admin, and server URLs with passwords: "
            f"{self.folder / 'dev.json'}\n"
        )


async def _wait_until_ready(
    url: str, servers: EmbeddedServers, processes: ProcessSupervisor
) -> None:
    try:
        async with asyncio.timeout(READY_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as client:
            while not await _is_ready(client, url):
                servers.require_alive()
                processes.check()
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise EmbeddedError(f"{url} was not ready within {READY_TIMEOUT_S:.0f} s") from None


async def collect_edits(folder: Path, edited: set[str], echo: Callable[[str], None]) -> None:
    """Add the Python files below a folder that are edited; print why it cannot be watched."""
    from watchfiles import PythonFilter, awatch

    try:
        async for changes in awatch(folder, watch_filter=PythonFilter()):
            edited.update(str(Path(path).relative_to(folder)) for _, path in changes)
    except (OSError, RuntimeError) as error:  # for example, too few inotify watches
        echo(f"Cannot watch {folder} ({error}): edits restart nothing. Restart `ostinato dev`.")


async def _monitor(
    servers: EmbeddedServers, processes: ProcessSupervisor, edited: Collection[str] = ()
) -> None:
    """Return once a file is edited; raises EmbeddedError if a server or a process exits."""
    while not edited:
        servers.require_alive()
        processes.check()
        await asyncio.sleep(POLL_S)


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
