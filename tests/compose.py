"""Runs the services of a compose.yaml as processes: the names of the services become local ports.

The images are not run. Small scripts stand for what the commands use of them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from ostinato.jobs.embedded.binaries import find_mongod, find_valkey
from ostinato.jobs.embedded.process import Child, free_port, spawn
from tests.processes import OSTINATO, START_S, eventually

Document = dict[str, Any]
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])([^}]*)\}")
ENTRYPOINT = '#!/bin/sh\nexec "$@" $SERVER_OPTIONS\n'
CHOWN = "#!/bin/sh\n"


class MissingVariable(Exception):
    """A variable that the file requires is not set."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME:?message}` and `${NAME:-default}` as Compose does."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if variables.get(name):
            return variables[name]
        if operator == ":?":
            raise MissingVariable(name)
        return str(rest)

    return VARIABLE.sub(value, text).replace("$$", "$")


def load(path: Path, variables: Mapping[str, str]) -> Document:
    """Parse the file, and then replace its variables; raises MissingVariable."""
    parsed: Document = _interpolated(yaml.safe_load(path.read_text()), variables)
    return parsed


def _interpolated(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _interpolated(value, variables) for name, value in node.items()}
    if isinstance(node, list):
        return [_interpolated(value, variables) for value in node]
    return interpolate(node, variables) if isinstance(node, str) else node


class Compose:
    """The services of a project's compose.yaml, as processes that end with the stack."""

    def __init__(self, project: Path, variables: Mapping[str, str], stack: AsyncExitStack) -> None:
        self._project, self._variables, self._stack = project, variables, stack
        self._ports = {name: free_port() for name in ("mongo", "valkey", "api-1", "api-2", "proxy")}
        self._bin = project / "bin"
        self._bin.mkdir()
        for name, program in {"mongod": find_mongod(), "valkey-server": find_valkey()}.items():
            (self._bin / name).symlink_to(program)
        for name, script in {"docker-entrypoint.sh": ENTRYPOINT, "chown": CHOWN}.items():
            (self._bin / name).write_text(script)
            (self._bin / name).chmod(0o700)
        self._services = load(project / "compose.yaml", variables)["services"]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._ports[service]}"

    async def start_mongo(self) -> None:
        """Start MongoDB as its image does: a first start without a set creates the root user."""
        (data := self._project / "mongo").mkdir()
        options = f"--port={self._ports['mongo']} --dbpath={data} --wiredTigerCacheSizeGB=0.25"
        first = [str(self._bin / "mongod"), *options.split()]
        child = spawn("mongod", first, log=self._project / "first.log")
        with self._mongo() as client:
            password = self._variables["MONGO_ROOT_PASSWORD"]
            client.admin.command("createUser", "root", pwd=password, roles=["root"])
        await child.stop(START_S)
        service = self._services["mongo"]
        command = [*service["entrypoint"], *service["command"]]
        self._spawn("mongo", command, SERVER_OPTIONS=options)
        with self._mongo() as client:
            await eventually(lambda: _answers(client))

    def start_valkey(self) -> None:
        options = f"--port {self._ports['valkey']} --bind 127.0.0.1 --dir {self._project}"
        self._spawn("valkey", self._services["valkey"]["command"], SERVER_OPTIONS=options)

    def run(self, service: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run the service's command, or another one, to its end."""
        return subprocess.run(
            self._located([*(command or self._services[service]["command"])]),
            env=self._environment(service),
            cwd=self._project,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    def start(self, service: str) -> list[Child]:
        """Start all replicas of an API or of the workers."""
        definition = self._services[service]
        replicas = definition.get("deploy", {}).get("replicas", 1)
        return [self._spawn(service, definition["command"]) for _ in range(replicas)]

    def start_proxy(self, caddy: str) -> None:
        """Start a real Caddy with the project's configuration."""
        config = self._project / "Caddyfile"
        config.write_text(self._local(config.read_text()))
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
        self._spawn("proxy", command, SITE_ADDRESS=self.url("proxy"), HOME=str(self._project))

    def _spawn(self, service: str, command: list[str], **extra: str) -> Child:
        located = ["/usr/bin/env", "-C", str(self._project), *self._located(command)]
        log = self._project / f"{service}-{free_port()}.log"
        child = spawn(service, located, log=log, env=self._environment(service) | extra)
        self._stack.push_async_callback(child.stop)
        return child

    def _located(self, command: list[str]) -> list[str]:
        """Return the command with the programs and addresses of this machine."""
        programs = {"ostinato": [*OSTINATO], "python": [sys.executable]}
        return [*programs.get(command[0], command[:1]), *map(self._local, command[1:])]

    def _environment(self, service: str) -> dict[str, str]:
        """Return the service's variables with the addresses of this machine."""
        given = self._services[service].get("environment", {})
        found = {name: self._local(value) for name, value in given.items()}
        if "OSTINATO_PORT" in found:
            found |= {"OSTINATO_PORT": str(self._ports[service]), "OSTINATO_HOST": "127.0.0.1"}
            found["OSTINATO_TRUSTED_PROXIES"] = "127.0.0.1"
        return {"PATH": f"{self._bin}:{os.environ['PATH']}", **found}

    def _local(self, text: str) -> str:
        standard = {"mongo": 27017, "valkey": 6379, "api-1": 8000, "api-2": 8000}
        for name, port in standard.items():
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self._ports[name]}")
        return text.replace("/tmp/mongo.key", str(self._project / "mongo.key"))  # noqa: S108 # its path in the container

    @contextmanager
    def _mongo(self) -> Iterator[MongoClient[Document]]:
        with MongoClient[Document](port=self._ports["mongo"], directConnection=True) as client:
            yield client


def _answers(client: MongoClient[Document]) -> bool:
    try:
        return bool(client.admin.command("hello")["ok"])
    except AutoReconnect:
        return False
