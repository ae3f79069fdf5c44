"""Records the MongoDB commands of the process that imports it, for a profile of the worker.

It is imported as a module of functions, so that it listens before the first connection.
"""

import atexit
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from pymongo import monitoring

Entry = dict[str, float]


class Commands(monitoring.CommandListener):
    """Counts and times commands by name, collection and purpose."""

    def __init__(self) -> None:
        self.found: defaultdict[str, Entry] = defaultdict(
            lambda: {"count": 0, "seconds": 0.0, "changed": 0}
        )
        self._running: dict[int, str] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._running[event.request_id] = _named(event.command_name, event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        entry = self._end(event.request_id, event.duration_micros)
        entry["changed"] += int(event.reply.get("n", 0))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._end(event.request_id, event.duration_micros)

    def _end(self, request_id: int, duration_us: int) -> Entry:
        entry = self.found[self._running.pop(request_id, "unknown")]
        entry["count"] += 1
        entry["seconds"] += duration_us / 1e6
        return entry


def _named(name: str, command: Any) -> str:
    """Return a name that distinguishes claims from outcomes: both are updates of jobs."""
    collection = command.get(name)
    text = f"{name} {collection}" if isinstance(collection, str) else name
    if name == "update":
        state = command["updates"][0]["q"].get("state")
        return f"{text}, from {state}" if isinstance(state, str) else text
    if name == "find":
        return f"{text} by {', '.join(command['filter'])}"
    return text


def _listen(path: Path) -> None:
    commands = Commands()
    monitoring.register(commands)
    file = path / f"{os.getpid()}.json"
    atexit.register(lambda: file.write_text(json.dumps(commands.found)))


if "BENCH_COMMANDS" in os.environ:
    _listen(Path(os.environ["BENCH_COMMANDS"]))
