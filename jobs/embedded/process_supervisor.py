"""Keeps named child processes running: starts them, and replaces those that exit."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ostinato.jobs.embedded.process import Child, spawn

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

    async def stop(self, timeout_s: float) -> list[int]:
        """Stop all children concurrently; returns their exit codes."""
        children = [slot.child for slot in self._slots.values() if slot.child is not None]
        return await asyncio.gather(*(child.stop(timeout_s) for child in children))
