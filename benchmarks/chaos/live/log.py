"""The append-only log of one client."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = "clients"


class LogEvent(StrEnum):
    ADDED = "added"
    """A subscription was added, and got its number."""
    OPENED = "opened"
    """A connection was acknowledged, by this API process."""
    SUBSCRIBED = "subscribed"
    """A subscription was sent, with this cursor."""
    RECEIVED = "received"
    FAILED = "failed"
    """A subscription ended with errors."""
    DISCONNECTED = "disconnected"
    """The client disconnected."""
    PAUSED = "paused"
    """The client stopped reading for some seconds."""
    CLOSED = "closed"
    """The socket was closed, with a code if the server sent one."""
    CAUGHT_UP = "caughtUp"
    """A subscription received all changes."""


class Log:
    """Writes the log of a client; a message is logged before the client handles it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def write(self, event: LogEvent, **details: object) -> None:
        self._file.write(orjson.dumps({"at": time.time(), "event": event, **details}) + b"\n")

    def write_received(self, sub: int, text: bytes) -> None:
        """Write a received message verbatim."""
        head = b'{"at":%.3f,"event":"received","sub":%d,"message":' % (time.time(), sub)
        self._file.write(head + text + b"}\n")

    def close(self) -> None:
        self._file.close()


def path_of(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number:03}.jsonl"


def read(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Return the lines of each client, in the order of the clients."""
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        with path.open("rb") as file:
            yield [orjson.loads(line) for line in file]
