"""Owns the API and worker processes of `ostinato dev`: started, replaced when killed, stopped."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.embedded.process import Child, EmbeddedError, spawn

NAMES = ("api", "worker")
MAX_REPLACEMENTS = 10  # of one run: what is killed more often has a reason that needs a look


@dataclass(slots=True, kw_only=True)
class Crew:
    """The processes of the product, beside the servers they need."""

    command: tuple[str, ...]
    """How to start ourselves; `api` or `worker` is appended."""
    env: Mapping[str, str]
    say: Callable[[str], None]
    members: dict[str, Child] = field(default_factory=dict)
    replacements: int = 0

    def start(self) -> None:
        for name in NAMES:
            self._spawn(name)

    def tend(self) -> None:
        """Replace who was killed; raises EmbeddedError for one that ended by itself.

        A kill is what a crash test does, and nothing is lost by it. An exit has a reason, which
        the process has said, and would come again.
        """
        for name, child in self.members.items():
            if child.exit_code is None:
                continue
            if child.exit_code >= 0 or self.replacements == MAX_REPLACEMENTS:
                raise EmbeddedError(f"Unexpectedly, {child.ending}.")
            self.replacements += 1
            self.say(f"Unexpectedly, {child.ending}. Starting another.")
            self._spawn(name)

    async def stop(self, within_s: float) -> None:
        await asyncio.gather(*(child.stop(within_s) for child in self.members.values()))

    def kill(self) -> None:
        for child in self.members.values():
            child.popen.kill()

    def _spawn(self, name: str) -> None:
        self.members[name] = spawn(name, [*self.command, name], env=self.env)
