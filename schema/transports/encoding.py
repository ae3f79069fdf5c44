"""Reads and writes JSON for every transport, fast, and never deeper than is safe to walk."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 64  # BSON stops at 100 levels, and recursive readers behind us before 200
MAX_DIGITS = 400  # more are beyond every number that a client may send, even beyond a double
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
LARGEST = sys.float_info.max
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
    body = data.removeprefix(BOM) if isinstance(data, str) else data.removeprefix(BOM_BYTES)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _read_again(data, error)
    if _openings(body) > MAX_DEPTH and _is_too_deep(value):
        raise Unreadable(TOO_DEEP, value)
    if _long_number_in(body):
        return json.loads(body, parse_int=_exact)
    return value


def encode(value: object) -> bytes:
    """Write JSON; raises TypeError for what JSON cannot say."""
    return orjson.dumps(value)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


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
    return [child for child in _children(parent) if isinstance(child, dict | list)]


def _long_number_in(data: bytes | str) -> bool:
    """Tell whether there may be a number beyond 64 bits, which orjson rounds."""
    found = LONG_NUMBER.search(data) if isinstance(data, str) else LONG_NUMBER_BYTES.search(data)
    return found is not None


def _exact(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _text_of(data: bytes | str) -> str:
    """Decode UTF-8 as strictly as orjson does; raises Unreadable."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise Unreadable(f"{problem}: send JSON as UTF-8") from None


def _read_again(data: bytes | str, error: orjson.JSONDecodeError) -> Any:
    """Read what orjson refuses if only its numbers are too large: whoever takes a number says so,
    by its place. Raises Unreadable for all else."""
    text = _text_of(data).removeprefix(BOM)
    try:
        value = json.loads(text, parse_int=_exact, parse_constant=_refuse_constant)
    except (RecursionError, ValueError):
        raise _unreadable(text, error) from None
    if not _has_number_too_large(value) or _is_too_deep(value) or _half_pair_in(value):
        raise _unreadable(text, error) from None
    return value


def _has_number_too_large(value: object) -> bool:
    """Return whether a number is beyond what a double holds."""
    level = [value]
    while level:
        if any(isinstance(each, int | float) and abs(each) > LARGEST for each in level):
            return True
        level = [child for each in level for child in _children(each)]
    return False


def _unreadable(data: str, error: orjson.JSONDecodeError) -> Unreadable:
    try:
        value: object = json.loads(data, parse_int=_exact)
    except RecursionError:
        return Unreadable(TOO_DEEP)
    except ValueError:
        return Unreadable(TOO_DEEP if "ecursion" in error.msg else f"not JSON: {error}")
    if _openings(data) > MAX_DEPTH and _is_too_deep(value):
        return Unreadable(TOO_DEEP, value)
    return Unreadable(_half_pair_in(value) or f"not JSON: {error}", value)


def _half_pair_in(value: object) -> str | None:
    """Say where a text holds half of a surrogate pair; None if none does."""
    for path, text in _texts(value):
        if half := HALF_PAIR.search(text):
            where = ".".join(map(str, path)) or "it"
            written = f"\\u{ord(half[0]):04x}"
            return f"{where} holds {written}, half of a surrogate pair: send whole characters"
    return None


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
