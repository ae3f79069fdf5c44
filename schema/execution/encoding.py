"""JSON decoding and encoding for all transports, with a limited nesting depth."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 64  # BSON allows 100 levels, and recursive decoders fail before 200
MAX_DIGITS = 400  # more than any double has
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
MAX_DOUBLE = sys.float_info.max
BOM = "\ufeff"
BOM_BYTES = BOM.encode()
DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
LONG_NUMBER = b"0" * 19  # after DIGITS_TO_ZERO
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
Path = tuple[str | int, ...]
Container = dict[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class EncodedResult:
    """An encoded result of a subscription."""

    payload: bytes
    """The response as JSON."""
    cursor: str | None = None
    """The cursor to resume after this result; None if the root field has no cursors."""


class InvalidJson(ValueError):
    """Invalid JSON; the client receives the message."""

    def __init__(self, problem: str, value: object = None) -> None:
        super().__init__(problem)
        self.value = value
        """The value from Python's lenient decoder; None if that fails."""


def decode_json(data: bytes | str) -> Any:
    """Decode JSON with exact integers; raises InvalidJson."""
    body = data.removeprefix(BOM) if isinstance(data, str) else data.removeprefix(BOM_BYTES)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _decode_leniently(data, error)
    if _opening_brackets(body) > MAX_DEPTH and _is_too_deep(value):
        raise InvalidJson(TOO_DEEP, value)
    if _long_number_in(body):
        return json.loads(body, parse_int=_exact)
    return value


def encode_json(value: object) -> bytes:
    """Encode JSON; raises TypeError for values that JSON cannot represent."""
    return orjson.dumps(value)


def comparable_json(value: object) -> bytes:
    """Encode JSON with sorted keys; values that JSON cannot represent, in Python's notation.

    For keys and sizes: an integer over 64 bits is only rejected later, by type validation.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return repr(value).encode()


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _opening_brackets(data: bytes | str) -> int:
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
    """Return whether there may be an integer over 64 bits, which orjson rounds.

    A regular expression takes several times as long, and this is done for every request.
    """
    text = data.encode() if isinstance(data, str) else data
    return LONG_NUMBER in text.translate(DIGITS_TO_ZERO)


def _exact(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _text_of(data: bytes | str) -> str:
    """Decode UTF-8 as strictly as orjson does; raises InvalidJson."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise InvalidJson(f"{problem}: send JSON as UTF-8") from None


def _decode_leniently(data: bytes | str, error: orjson.JSONDecodeError) -> Any:
    """Decode JSON that orjson rejects only because of numbers that are too large.

    Input validation reports these with their path. Raises InvalidJson for anything else.
    """
    text = _text_of(data).removeprefix(BOM)
    try:
        value = json.loads(text, parse_int=_exact, parse_constant=_reject_constant)
    except (RecursionError, ValueError):
        raise _invalid_json(text, error) from None
    if not _has_number_too_large(value) or _is_too_deep(value) or _lone_surrogate_in(value):
        raise _invalid_json(text, error) from None
    return value


def _has_number_too_large(value: object) -> bool:
    """Return whether a number is too large for a double."""
    level = [value]
    while level:
        if any(isinstance(each, int | float) and abs(each) > MAX_DOUBLE for each in level):
            return True
        level = [child for each in level for child in _children(each)]
    return False


def _invalid_json(data: str, error: orjson.JSONDecodeError) -> InvalidJson:
    try:
        value: object = json.loads(data, parse_int=_exact)
    except RecursionError:
        return InvalidJson(TOO_DEEP)
    except ValueError:
        return InvalidJson(TOO_DEEP if "ecursion" in error.msg else f"not JSON: {error}")
    if _opening_brackets(data) > MAX_DEPTH and _is_too_deep(value):
        return InvalidJson(TOO_DEEP, value)
    return InvalidJson(_lone_surrogate_in(value) or f"not JSON: {error}", value)


def _lone_surrogate_in(value: object) -> str | None:
    """Return a message about the first unpaired surrogate; None if there is none."""
    for path, text in _texts(value):
        if half := LONE_SURROGATE.search(text):
            where = ".".join(map(str, path)) or "the value"
            escaped = f"\\u{ord(half[0]):04x}"
            return f"{where} contains the unpaired surrogate {escaped}: send valid Unicode"
    return None


def _texts(value: object) -> Iterator[tuple[Path, str]]:
    """Yield all strings of a value, including keys, with their paths."""
    pending: list[tuple[Path, object]] = [((), value)]
    while pending:
        path, found = pending.pop()
        if isinstance(found, str):
            yield path, found
        elif isinstance(found, dict):
            yield from ((path, key) for key in found)
            pending.extend(((*path, key), inner) for key, inner in found.items())
        elif isinstance(found, list):
            pending.extend(((*path, index), inner) for index, inner in enumerate(found))
