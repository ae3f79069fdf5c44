"""Starts PostgreSQL from Debian's packages, with a cluster of its own in a temporary folder."""

import asyncio
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import CouldNotRun, last_line, wait_until
from ostinato.jobs.embedded.process import Child, free_port, spawn

PACKAGES: Final = Path("/usr/lib/postgresql")
MISSING: Final = "PostgreSQL is not installed: run `apt-get install postgresql`"
USER: Final = "postgres"  # of the package; the server refuses to run as root
DATABASE: Final = "bench"
START_S: Final = 60.0
OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",  # as much as mongod's cache
    "max_connections": "200",
    "max_wal_size": "4GB",  # no checkpoint forced by the size of one measurement
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running cluster, and a session of psql in it."""

    child: Child
    port: int
    password: str
    psql: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def clean(self) -> None:
        """Replace the database by an empty one."""
        self.run("\\c postgres")
        self.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE);")
        self.run(f"CREATE DATABASE {DATABASE};")
        self.run(f"\\c {DATABASE}")

    def query_number(self, query: str) -> int:
        """Return the number that a query selects; 0 if its table does not exist yet."""
        return int(self.run(f"{query};") or 0)

    def run(self, command: str) -> str:
        """Run a command of psql, and return the last line that it prints."""
        assert self.psql.stdin is not None
        assert self.psql.stdout is not None
        self.psql.stdin.write(f"{command}\n\\echo END\n")
        self.psql.stdin.flush()
        printed = ""
        while (line := self.psql.stdout.readline().rstrip("\n")) != "END":
            if self.psql.poll() is not None:
                raise CouldNotRun("psql ended")
            printed = line
        return printed


def binaries() -> Path:
    """Return the folder of the newest installed version; raises CouldNotRun without one."""
    found = [path.parent for path in PACKAGES.glob("*/bin/initdb")]
    if not found:
        raise CouldNotRun(MISSING)
    return max(found, key=lambda folder: float(folder.parent.name))


def version() -> str:
    """Return the version of the newest installed PostgreSQL."""
    printed = subprocess.run(
        [binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+\.\d+", printed.stdout)
    return found[0] if found else printed.stdout.strip()


@contextmanager
def started() -> Iterator[Postgres]:
    """Run a new cluster inside the block; raises CouldNotRun if that is not possible."""
    folder = Path(tempfile.mkdtemp(prefix="ostinato-bench-postgres-"))
    try:
        child, port, password = _start(binaries(), folder)
        try:
            wait_until(lambda: "ready to accept connections" in child.tail(), START_S, [child])
            with _psql(port, password) as psql:
                yield Postgres(child=child, port=port, password=password, psql=psql)
        finally:
            asyncio.run(child.stop())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(programs: Path, folder: Path) -> tuple[Child, int, str]:
    port, password = free_port(), secrets.token_hex(16)
    password_file, data = folder / "password", folder / "data"
    password_file.write_text(password)
    if os.geteuid() == 0:
        for path in (folder, password_file):
            shutil.chown(path, USER, USER)
    initialize: list[str | Path] = [
        *(programs / "initdb", "--pgdata", data, "--username", USER, "--pwfile", password_file),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
    ]
    ended = subprocess.run(_unprivileged(*initialize), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise CouldNotRun(f"initdb failed: {last_line(ended.stderr)}")
    options = [f"--{name}={value}" for name, value in {**OPTIONS, "port": str(port)}.items()]
    command = _unprivileged(programs / "postgres", "-D", data, *options)
    return spawn("postgres", command, log=folder / "postgres.log", env=os.environ), port, password


def _unprivileged(*command: str | Path) -> list[str]:
    """Run a command as the package's user if we are root; it still ends with this process."""
    words = [str(word) for word in command]
    if os.geteuid() != 0:
        return words
    setpriv = shutil.which("setpriv") or "setpriv"
    drop = [setpriv, f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    return [*drop, "--pdeathsig=QUIT", *words]


@contextmanager
def _psql(port: int, password: str) -> Iterator["subprocess.Popen[str]"]:
    command = ["psql", "-qAtX", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "postgres"]
    with subprocess.Popen(
        command,
        env={**os.environ, "PGPASSWORD": password},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as session:
        try:
            yield session
        finally:
            session.kill()
