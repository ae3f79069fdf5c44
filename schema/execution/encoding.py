"""JSON decoding and encoding for all transports, with a limited nesting depth."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
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
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
LONG_INTEGER = re.compile(r"\d{200}")
LARGE_NUMBER = re.compile(r"\d{200}|[eE]\+?\d{3}")  # may be too large for a double
PYTHON_ONLY = re.compile(rf"NaN|Infinity|{SURROGATE_ESCAPE.pattern}|{LARGE_NUMBER.pattern}")
"""What Python's decoder accepts and orjson does not."""
MAX_TEXTS = 1_000  # that are searched for the path of an unpaired surrogate
TO_SQUARE = bytes.maketrans(b"{}", b"[]")
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
Path = tuple[str | int, ...]


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
    if _is_too_deep(body):
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


def _is_too_deep(text: bytes | str) -> bool:
    """Return whether valid JSON is nested too deeply.

    Removes the innermost brackets MAX_DEPTH times: a walk through the values of a request with
    80,000 lists takes 50 ms.
    """
    data = text.encode() if isinstance(text, str) else text
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = b"".join(unescaped.split(b'"')[::2]).translate(TO_SQUARE, NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


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


class _Numbers:
    """Decodes numbers, and records whether one is too large for a double."""

    def __init__(self) -> None:
        self.has_too_large = False

    def integer(self, digits: str) -> int | float:
        number = _exact(digits)
        self.has_too_large |= abs(number) > MAX_DOUBLE
        return number

    def float(self, digits: str) -> float:
        number = float(digits)
        self.has_too_large |= abs(number) > MAX_DOUBLE
        return number


def _decode_leniently(data: bytes | str, error: orjson.JSONDecodeError) -> Any:
    """Decode JSON that orjson rejects only because of numbers that are too large.

    Input validation reports these with their path. Raises InvalidJson for anything else.
    """
    text, numbers = _text_of(data).removeprefix(BOM), _Numbers()
    if LARGE_NUMBER.search(text) is None:
        raise _invalid_json(text, error)
    try:
        value = json.loads(
            text,
            parse_int=numbers.integer if LONG_INTEGER.search(text) else None,
            parse_float=numbers.float,
            parse_constant=_reject_constant,
        )
    except (RecursionError, ValueError):
        raise _invalid_json(text, error) from None
    if not numbers.has_too_large or _is_too_deep(text) or _lone_surrogate_in(text, value):
        raise _invalid_json(text, error) from None
    return value


def _invalid_json(text: str, error: orjson.JSONDecodeError) -> InvalidJson:
    is_too_deep = "depth limit" in error.msg
    problem = TOO_DEEP if is_too_deep else f"not JSON: {error}"
    if not is_too_deep and PYTHON_ONLY.search(text) is None:
        return InvalidJson(problem)
    try:
        value: object = json.loads(text, parse_int=_exact)
    except (RecursionError, ValueError):
        return InvalidJson(problem)
    if _is_too_deep(text):
        return InvalidJson(TOO_DEEP, value)
    return InvalidJson(_lone_surrogate_in(text, value) or problem, value)


def _lone_surrogate_in(text: str, value: object) -> str | None:
    """Return a message about an unpaired surrogate; None if there is none.

    The message contains its path if it is among the first texts.
    """
    if SURROGATE_ESCAPE.search(text) is None and LONE_SURROGATE.search(text) is None:
        return None
    half = LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False))
    if half is None:
        return None
    paths = (path for path, each in islice(_texts(value), MAX_TEXTS) if LONE_SURROGATE.search(each))
    where = ".".join(map(str, next(paths, ()))) or "the value"
    escaped = f"\\u{ord(half[0]):04x}"
    return f"{where} contains the unpaired surrogate {escaped}: send valid Unicode"


def _texts(value: object) -> Iterator[tuple[Path, str]]:
    """Yield all strings of a value, including keys, with their paths."""
    pending: list[tuple[Path, object]] = [((), value)]
    while pending:
        path, found = pending.pop()
        if isinstance(found, str):
            yield path, found
        elif isinstance(found, dict):
            yield from ((path, key) for key in found)
            pending.extend(((*path, key), inner) for key, inner in islice(found.items(), MAX_TEXTS))
        elif isinstance(found, list):
            pending.extend(((*path, index), inner) for index, inner in enumerate(found[:MAX_TEXTS]))
