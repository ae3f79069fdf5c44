"""Owns the API and worker processes of `ostinato dev`: started, replaced when killed, stopped."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ostinato.jobs.embedded.process import Child, EmbeddedError, spawn

NAMES = ("api", "worker")
MAX_REPLACEMENTS = 10
REPLACEMENT_WINDOW_S = 10.0  # what is killed faster than it starts has a reason that needs a look


@dataclass(slots=True, kw_only=True)
class DevProcesses:
    """The processes of the product, beside the servers they need."""

    command: tuple[str, ...]
    """How to start ourselves; `api` or `worker` is appended."""
    env: Mapping[str, str]
    echo: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    replaced_at: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_REPLACEMENTS))

    def start(self) -> None:
        for name in NAMES:
            self._spawn(name)

    def check(self) -> None:
        """Replace who was killed; raises EmbeddedError for one that ended by itself.

        A kill is what a crash test does, and nothing is lost by it. An exit has a reason, which
        the process has said, and would come again.
        """
        for name, child in self.children.items():
            if child.exit_code is None:
                continue
            if child.exit_code >= 0:
                raise EmbeddedError(f"Unexpectedly, {child.exit_description}.")
            if self._too_many_replacements():
                how_often = f"{MAX_REPLACEMENTS} times in {REPLACEMENT_WINDOW_S:g} s"
                raise EmbeddedError(
                    f"Unexpectedly, {child.exit_description}, and others {how_often}."
                )
            self.replaced_at.append(self.clock())
            self.echo(f"Unexpectedly, {child.exit_description}. Starting another.")
            self._spawn(name)

    def _too_many_replacements(self) -> bool:
        recent = self.replaced_at
        return len(recent) == MAX_REPLACEMENTS and self.clock() - recent[0] < REPLACEMENT_WINDOW_S

    async def stop(self, within_s: float) -> None:
        await asyncio.gather(*(child.stop(within_s) for child in self.children.values()))

    def kill(self) -> None:
        for child in self.children.values():
            child.popen.kill()

    def _spawn(self, name: str) -> None:
        self.children[name] = spawn(name, [*self.command, name], env=self.env)
