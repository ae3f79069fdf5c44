"""Ostinato processes that start fast: forks of a process that has imported Ostinato already."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from multiprocessing.process import BaseProcess
from pathlib import Path

from ostinato.cli import COMMAND
from ostinato.jobs.embedded.parent_death_signal import die_with_parent
from ostinato.jobs.embedded.process import Child

PRELOADED = [
    "tests.forking",
    "uvloop",
    "uvicorn.loops.uvloop",
    "uvicorn.lifespan.on",
    "ostinato.cli",
    "ostinato.schema.server.app",
    "ostinato.schema.server.uvicorn_server",
    "ostinato.jobs.mongo.diagnostics",
    "ostinato.jobs.worker.main",
    "tests.gc_freeze",
]

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(PRELOADED)


class Forked(subprocess.Popen[bytes]):
    """A forked process with the interface of `subprocess.Popen`."""

    _child_created = False  # only its parent waits for it

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid
        self.process, self.args = process, process.name
        self.pid, self.returncode = process.pid, None

    def poll(self) -> int | None:
        self.returncode = self.process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        code = self.poll()
        assert code is not None, f"{self.process.name} still runs"
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """The folder, environment variables and output files of a forked command."""

    env: Mapping[str, str]
    out: Path
    err: Path
    folder: Path | None = None


def fork(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str]) -> Child:
    """Like `spawn` with `python -m ostinato …`, but without the imports."""
    process = _start(name, command[len(COMMAND) :], ProcessOptions(env=env, out=log, err=log))
    return Child(name=name, popen=Forked(process), log=log)


def run_forked(
    args: Sequence[str], options: ProcessOptions, timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Like `subprocess.run` with `python -m ostinato …`, but without the imports."""
    process = Forked(_start("command", args, options))
    try:
        code = process.wait(timeout_s)
    finally:
        process.kill()
    out, err = options.out.read_text(), options.err.read_text()
    return subprocess.CompletedProcess(args, code, out, err)


def _start(name: str, args: Sequence[str], options: ProcessOptions) -> BaseProcess:
    process = forkserver.Process(
        target=_run_command, args=(("ostinato", *args), options), name=name
    )
    process.start()
    return process


def _run_command(argv: Sequence[str], options: ProcessOptions) -> None:
    """Run the command in this child process, which dies with its parent."""
    from ostinato.cli import main

    die_with_parent(os.getppid())
    os.setsid()
    os.environ.clear()
    os.environ.update(options.env)
    if options.folder:
        os.chdir(options.folder)
    _redirect(options)
    sys.argv[:] = argv
    main()


def _redirect(options: ProcessOptions) -> None:
    with (
        options.out.open("ab") as out,
        options.err.open("ab") as err,
        Path(os.devnull).open("rb") as nothing,
    ):
        os.dup2(nothing.fileno(), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(line_buffering=True)
