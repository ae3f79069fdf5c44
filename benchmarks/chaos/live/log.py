"""What one client writes down, line by line, and how it is read again; lines are only appended."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = "clients"


class What(StrEnum):
    WANTS = "wants"
    """A subscription, from now on known by its number."""
    OPENED = "opened"
    """A socket was acknowledged, by which API."""
    ASKED = "asked"
    """A subscription was sent, with which cursor."""
    TOLD = "told"
    FAILED = "failed"
    """A subscription ended with errors."""
    LEFT = "left"
    """The client went away."""
    DOZED = "dozed"
    """The client reads nothing for a while."""
    CLOSED = "closed"
    """The socket is gone, with a code if the server gave one."""
    ARRIVED = "arrived"
    """A subscription was told everything there was."""


class Log:
    """Write a client's log; a line is written before the client heeds it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def write(self, what: What, **about: object) -> None:
        self._file.write(orjson.dumps({"at": time.time(), "what": what, **about}) + b"\n")

    def told(self, sub: int, text: bytes) -> None:
        """Write a message as it came."""
        head = b'{"at":%.3f,"what":"told","sub":%d,"message":' % (time.time(), sub)
        self._file.write(head + text + b"}\n")

    def close(self) -> None:
        self._file.close()


def path_of(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number:03}.jsonl"


def read(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Give each client's lines, in the order of the clients."""
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        with path.open("rb") as file:
            yield [orjson.loads(line) for line in file]
