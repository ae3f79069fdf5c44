"""Child processes: start, monitor, replace, stop; and free ports for them.

They are killed if this process dies.
"""

import asyncio
import errno
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEATH_SIGNAL_WRAPPER = Path(__file__).with_name("parent_death_signal.py")
TAIL_BYTES = 4_096
POLL_S = 0.01
PORT_RANGE: Final = range(10_000, 32_768)
"""Outside Linux's ephemeral port range."""
MAX_TRIES: Final = 100
TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)


class EmbeddedError(RuntimeError):
    """A server or process could not be started; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One child process and its log file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path | None

    @property
    def exit_code(self) -> int | None:
        """Return the exit code (negative: a signal number); None while the process is running."""
        return self.popen.poll()

    @property
    def exit_description(self) -> str:
        """Describe how the process ended."""
        code = self.popen.poll()
        if code is None:
            return f"{self.name} is still running"
        if code < 0:
            return f"{self.name} was killed by {signal.Signals(-code).name}"
        return f"{self.name} exited with code {code}"

    def tail(self) -> str:
        """Return the last TAIL_BYTES of the log."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()

    async def wait(self) -> int:
        """Wait for the process to exit and return its exit code."""
        while (code := self.popen.poll()) is None:
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self, within_s: float = 3.0) -> int:
        """Send SIGTERM, then SIGKILL after `within_s` seconds. Idempotent."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + within_s
        while self.popen.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        if self.popen.poll() is None:
            self.popen.kill()
        return await asyncio.to_thread(self.popen.wait)


def spawn(
    name: str,
    command: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Child:
    """Start a child in its own session, so that Ctrl-C reaches only this process.

    The kernel kills the child when the calling thread ends: call from the main thread.
    """
    argv = [sys.executable, "-I", "-S", str(DEATH_SIGNAL_WRAPPER), str(os.getpid()), *command]
    output = log.open("ab") if log is not None else None
    try:
        popen = subprocess.Popen(
            argv,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
        )
    finally:
        if output is not None:
            output.close()
    return Child(name=name, popen=popen, log=log)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    for port in random.sample(PORT_RANGE, MAX_TRIES):
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            continue
        return port
    raise EmbeddedError(f"no free port found on {host} after {MAX_TRIES} tries")


def require_free(host: str, port: int, variable: str) -> None:
    """Raise EmbeddedError if the port is taken; `variable` is the setting that changes it."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EmbeddedError(
            f"Port {port} on {host}: {reason}. Stop the program that uses it, or choose another "
            f"port with {variable}."
        ) from error


RestartPause = Callable[[Child, float], float]
"""Returns the seconds to wait before an exited child is replaced, given its uptime in seconds;
raises if it must not be replaced."""


@dataclass(slots=True)
class _Slot:
    command: Sequence[str]
    child: Child | None = None
    started_at: float = 0.0
    start_at: float = 0.0


class ProcessSupervisor:
    """Child processes by name; they are killed if this process dies."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        restart_pause: RestartPause,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._slots = {name: _Slot(command) for name, command in commands.items()}
        self._restart_pause = restart_pause
        self._env = env

    def check(self) -> None:
        """Start missing children, and replace exited ones after their pause.

        Call it at short intervals. Propagates errors of `restart_pause`.
        """
        for name, slot in self._slots.items():
            now = time.monotonic()
            if slot.child is not None and slot.child.exit_code is not None:
                slot.start_at = now + self._restart_pause(slot.child, now - slot.started_at)
                slot.child = None
            if slot.child is None and now >= slot.start_at:
                slot.child = spawn(name, slot.command, env=self._env)
                slot.started_at = now

    async def restart(self, timeout_s: float) -> None:
        """Stop all children, and start them again."""
        await self.stop(timeout_s)
        for slot in self._slots.values():
            slot.child, slot.start_at = None, 0.0
        self.check()

    async def stop(self, timeout_s: float) -> list[int]:
        """Stop all children concurrently; returns their exit codes."""
        children = [slot.child for slot in self._slots.values() if slot.child is not None]
        return await asyncio.gather(*(child.stop(timeout_s) for child in children))
