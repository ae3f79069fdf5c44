"""The measured processes: how they are started, measured and stopped."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ostinato.jobs.embedded.process import Child, spawn

ROOT = Path(__file__).parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MEBIBYTE = 1_048_576
STOP_S = 10.0
CALL_S = 900.0


class CouldNotRun(Exception):
    """A part of the benchmark did not work; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """The command of a measured program; its arguments are appended."""

    command: tuple[str, ...]
    env: Mapping[str, str]

    def call(self, *arguments: str) -> dict[str, float]:
        """Run the program to its end, and return its measurements."""
        ended = subprocess.run(
            [*self.command, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=CALL_S,
            check=False,
        )
        if ended.returncode != 0:
            raise CouldNotRun(last_line(ended.stderr) or f"exit code {ended.returncode}")
        found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
        return found

    @contextmanager
    def running(self, log: Path, *arguments: str) -> Iterator[Child]:
        """Run the program inside the block."""
        env = {**os.environ, "PYTHONPATH": str(ROOT), **self.env}
        child = spawn("program", [*self.command, *arguments], log=log, env=env)
        try:
            yield child
        finally:
            asyncio.run(child.stop(STOP_S))


def cpu_s(children: Iterable[Child]) -> float:
    """Return the processor time that the processes and their own children have used so far."""
    pids = {child.popen.pid for child in children}
    stats = map(_stat, Path("/proc").glob("[0-9]*/stat"))
    used = [found for found in stats if found and (found.pid in pids or found.parent in pids)]
    return sum(found.used_s for found in used)


def memory_mib(child: Child) -> float:
    """Return the memory that a process holds in RAM."""
    pages = int(Path(f"/proc/{child.popen.pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES / MEBIBYTE


def wait_until(done: Callable[[], bool], within_s: float, children: Sequence[Child] = ()) -> None:
    """Poll; raises CouldNotRun when it takes too long, or a process has ended meanwhile."""
    deadline = time.monotonic() + within_s
    while not done():
        for child in children:
            if child.exit_code is not None:
                raise CouldNotRun(f"{child.exit_description}: {last_line(child.tail())}")
        if time.monotonic() > deadline:
            raise CouldNotRun(f"not done within {within_s:.0f} s")
        time.sleep(0.005)


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    used_s: float
    """Processor time, with that of ended children."""


def _stat(path: Path) -> _Stat | None:
    """Read a file of /proc; None if the process has ended."""
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return _Stat(int(path.parent.name), int(fields[1]), sum(map(int, fields[11:15])) / TICKS_PER_S)
