"""Reads and writes JSON for every transport, fast, and never deeper than is safe to walk."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 64  # BSON stops at 100 levels, and recursive readers behind us before 200
MAX_DIGITS = 400  # more are beyond every number that a client may send, even beyond a double
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
BOM = "\ufeff"
BOM_BYTES = BOM.encode()
LONG_NUMBER = re.compile(r"[0-9]{19}")
LONG_NUMBER_BYTES = re.compile(rb"[0-9]{19}")
HALF_PAIR = re.compile("[\ud800-\udfff]")
Path = tuple[str | int, ...]
Container = dict[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One result of a subscription, as every transport sends it."""

    payload: bytes
    """The whole response as JSON."""
    cursor: str | None = None
    """Where to resume behind it; None if its root field has no cursors."""


class Unreadable(ValueError):
    """JSON that is not taken; the text says what is wrong with it, for whoever sent it."""

    def __init__(self, problem: str, value: object = None) -> None:
        super().__init__(problem)
        self.value = value
        """What a lenient reader makes of it; None if even that reads nothing."""


def decode(data: bytes | str) -> Any:
    """Parse JSON, whole numbers exactly; raises Unreadable."""
    data = data.removeprefix(BOM) if isinstance(data, str) else data.removeprefix(BOM_BYTES)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _unreadable(data, error) from None
    if _openings(data) > MAX_DEPTH and _is_too_deep(value):
        raise Unreadable(TOO_DEEP, value)
    if _long_number_in(data):
        return json.loads(data, parse_int=_exact)
    return value


def encode(value: object) -> bytes:
    """Write JSON; raises TypeError for what JSON cannot say."""
    return orjson.dumps(value)


def encode_text(value: object) -> str:
    return orjson.dumps(value).decode()


def _openings(data: bytes | str) -> int:
    if isinstance(data, str):
        return data.count("[") + data.count("{")
    return data.count(b"[") + data.count(b"{")


def _is_too_deep(value: object) -> bool:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _containers(parent)]
        if not level:
            return False
    return True


def _containers(parent: Container) -> list[Container]:
    children = parent.values() if isinstance(parent, dict) else parent
    return [child for child in children if isinstance(child, dict | list)]


def _long_number_in(data: bytes | str) -> bool:
    """Tell whether there may be a number beyond 64 bits, which orjson rounds."""
    found = LONG_NUMBER.search(data) if isinstance(data, str) else LONG_NUMBER_BYTES.search(data)
    return found is not None


def _exact(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _unreadable(data: bytes | str, error: orjson.JSONDecodeError) -> Unreadable:
    try:
        value: object = json.loads(data, parse_int=_exact)
    except RecursionError:
        return Unreadable(TOO_DEEP)
    except ValueError:
        return Unreadable(TOO_DEEP if "ecursion" in error.msg else f"not JSON: {error}")
    if _openings(data) > MAX_DEPTH and _is_too_deep(value):
        return Unreadable(TOO_DEEP, value)
    for path, text in _texts(value):
        if half := HALF_PAIR.search(text):
            where = ".".join(map(str, path)) or "it"
            written = f"\\u{ord(half[0]):04x}"
            problem = f"{where} holds {written}, half of a surrogate pair: send whole characters"
            return Unreadable(problem, value)
    return Unreadable(f"not JSON: {error}", value)


def _texts(value: object) -> Iterator[tuple[Path, str]]:
    """Go through all texts of a value, keys among them, with the path of each."""
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, str):
            yield path, found
        elif isinstance(found, dict):
            yield from ((path, key) for key in found)
            waiting.extend(((*path, key), inner) for key, inner in found.items())
        elif isinstance(found, list):
            waiting.extend(((*path, index), inner) for index, inner in enumerate(found))
