"""Conversion of arguments, progress and results to JSON that MongoDB can store. No I/O."""

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import singledispatch
from itertools import chain, islice
from typing import Final

from ostinato.jobs.records import Json, Progress

MIN_INT64: Final = -(2**63)  # the range of a BSON integer
MAX_INT64: Final = 2**63 - 1
MAX_DEPTH: Final = 32  # BSON allows 100; values are nested a few levels deep in a document
MAX_COUNT: Final = 2**53 - 1  # JavaScript reads larger numbers inexactly
MAX_MESSAGE_BYTES: Final = 64 * 1024
SHOWN_DIGITS: Final = 40  # of a number that is out of range
MAX_WRITTEN_BITS: Final = 10_000  # Python cannot format integers of more than 4,300 digits
CONTAINERS: Final = (dict, list, tuple)
NUMBERS: Final = (int, float)  # faster than `int | float`, which is built for each call
MAX_BYTES: Final = 16 * 1024 * 1024  # the limit of a MongoDB document
MILLISECOND: Final = timedelta(milliseconds=1)
"""What MongoDB and clients round instants to."""

Path = tuple[str | int, ...]


class NotJson(TypeError):
    """A value that cannot be stored, with its path."""

    def __init__(self, problem: str, *path: str | int, code: str = "not_storable") -> None:
        self.path: Path = path
        self.problem = problem
        self.code = code
        """A stable identifier of the problem, visible to clients."""

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.problem}"


class TooLarge(ValueError):
    """A value that is too large, nested too deeply, or cyclic."""

    def __init__(self, problem: str, code: str) -> None:
        super().__init__(problem)
        self.code = code


def to_json_value(
    value: object,
    *path: str | int,
    limit_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    allow_nul: bool = True,
) -> Json:
    """Copy a value as plain JSON: subclasses of the built-in types become those types.

    Raises NotJson with the path of the invalid value, and TooLarge if it nests deeper than
    `max_depth` levels or exceeds `limit_bytes` as JSON. Stops at the limit, which bounds the cost
    for any value. Keys must not contain NUL; text may, if `allow_nul`.
    """
    copying = _Copying(limit_bytes, max_depth, allow_nul)
    try:
        return copying.copy(value, max_depth)
    except NotJson as error:
        error.path = (*path, *error.path)
        raise
    except TooLarge as error:
        where = ".".join(map(str, path))
        raise TooLarge(f"{where} {error}".strip(), error.code) from None


def require_bounded(value: object, limit_bytes: int) -> None:
    """Raise TooLarge for a cyclic or too large value, without calling its methods.

    Checks raw values before a library traverses them.
    """
    containers: list[object] = [value]
    count = 0
    for _ in range(MAX_DEPTH):
        values = list(islice(chain.from_iterable(map(_children, containers)), limit_bytes + 1))
        count += len(values)
        if count > limit_bytes:
            raise _too_long(limit_bytes)
        containers = [each for each in values if isinstance(each, CONTAINERS)]
        if not containers:
            return
    raise _too_deep(MAX_DEPTH)


def _children(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return dict.values(container)
    if isinstance(container, list):
        return list.__iter__(container)
    return tuple.__iter__(container) if isinstance(container, tuple) else ()


def _too_long(limit_bytes: int) -> TooLarge:
    return TooLarge(f"must be at most {limit_bytes:,} bytes as JSON", "too_long")


def _too_deep(max_depth: int) -> TooLarge:
    return TooLarge(f"must not nest deeper than {max_depth} levels, or contain itself", "too_deep")


@singledispatch
def to_json_form(value: object) -> object:
    """Return the JSON form of a value that is not JSON; raises NotJson.

    Extensible: a module registers a converter for each of its classes.
    """
    kind = type(value).__name__
    raise NotJson(f"has type {kind}, which is not JSON: convert it, for example with str()")


@to_json_form.register
def _enum_form(value: Enum) -> object:
    return value.value


@to_json_form.register
def _datetime_form(value: datetime) -> object:
    return format_instant(value) if value.tzinfo else value.isoformat()


def format_instant(instant: datetime) -> str:
    """Format an aware instant as the API does: `2030-01-31T12:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replace_surrogates(text: str) -> str:
    """Replace unpaired surrogates, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class TextProblem:
    """Why a text is not accepted as a name or an id."""

    code: str
    message: str


def find_text_problem(text: str) -> TextProblem | None:
    """Return why a text cannot be a name or an id; None if it can."""
    if "\0" in text:
        return TextProblem("null_character", "must not contain the NUL character, \\u0000")
    if text != replace_surrogates(text):
        return TextProblem("surrogate", "must not contain an unpaired surrogate")
    return None


def to_whole_number(value: object, *path: str | int, minimum: int, maximum: int) -> int:
    """Return a whole number as a plain `int`; raises NotJson with `path` and the value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotJson(f"must be a whole number, got {_describe(value)}", *path)
    number = int.__index__(value)
    if not minimum <= number <= maximum:
        raise NotJson(f"must be {minimum} to {maximum}, got {number}", *path)
    return number


def build_progress(done: object, total: object, message: object) -> Progress:
    """Validate the progress that a function reports; raises NotJson or TooLarge."""
    return Progress(
        done=_count(done, "done"),
        total=None if total is None else _count(total, "total"),
        message=None if message is None else _message(message),
    )


def _count(value: object, name: str) -> int:
    return to_whole_number(value, "progress", name, minimum=-MAX_COUNT, maximum=MAX_COUNT)


def _message(value: object) -> str:
    path = ("progress", "message")
    text = to_json_value(value, *path, limit_bytes=MAX_MESSAGE_BYTES)
    if not isinstance(text, str):
        raise NotJson(f"must be a string, got a value of type {type(value).__name__}", *path)
    return text


def _describe(value: object) -> str:
    if isinstance(value, float):
        return float.__repr__(value)
    return f"a value of type {type(value).__name__}"


class _Copying:
    """Copies one value. Calls the methods of the built-in types, since those of a subclass might
    not return."""

    def __init__(self, limit_bytes: int, max_depth: int, allow_nul: bool) -> None:
        self._limit_bytes = limit_bytes
        self._remaining_bytes = limit_bytes
        self._max_depth = max_depth
        self._allow_nul = allow_nul

    def copy(self, value: object, levels: int) -> Json:
        """Copy a value with at most `levels` levels below it."""
        if type(value) is int:  # the most frequent type besides text
            self._spend(1)
            return _integer(value)
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            self._spend(1)
            return value
        if isinstance(value, NUMBERS):
            self._spend(1)
            return _integer(value) if isinstance(value, int) else _float(value)
        if levels <= 0:
            raise _too_deep(self._max_depth)
        return self._container(value, levels - 1)

    def _container(self, value: object, levels: int) -> Json:
        if isinstance(value, dict):
            return self._object(value, levels)
        if isinstance(value, list):
            return self._list(list.__iter__(value), levels)
        if isinstance(value, tuple):
            return self._list(tuple.__iter__(value), levels)
        return self.copy(to_json_form(value), levels)

    def _spend(self, size_bytes: int) -> None:
        self._remaining_bytes -= size_bytes
        if self._remaining_bytes < 0:
            raise _too_long(self._limit_bytes)

    def _text(self, value: str) -> str:
        self._spend(str.__len__(value) + 2)
        text = str.__str__(value)
        if "\0" in text and not self._allow_nul:
            raise _has_nul()
        if not text.isascii() and text != replace_surrogates(text):
            raise NotJson("must not contain an unpaired surrogate", code="surrogate")
        return text

    def _list(self, items: Iterator[object], levels: int) -> list[Json]:
        self._spend(2)
        copied: list[Json] = []
        for item in items:
            try:
                copied.append(self.copy(item, levels))
            except NotJson as error:
                error.path = (len(copied), *error.path)
                raise
        return copied

    def _object(self, value: dict[object, object], levels: int) -> dict[str, Json]:
        self._spend(2)
        copied: dict[str, Json] = {}
        for key, item in dict.items(value):
            name = self._name(key)
            if name in copied:
                raise NotJson(f"has the key {name!r} twice")
            try:
                copied[name] = self.copy(item, levels)
            except NotJson as error:
                error.path = (name, *error.path)
                raise
        return copied

    def _name(self, key: object) -> str:
        name = self._text(key if isinstance(key, str) else str(key))
        if "\0" in name:
            raise _has_nul()
        return name


def _has_nul() -> NotJson:
    return NotJson("must not contain the NUL character, \\u0000", code="null_character")


def _integer(value: int) -> int:
    number = int.__index__(value)
    if not MIN_INT64 <= number <= MAX_INT64:
        allowed = f"must be between {MIN_INT64} and {MAX_INT64}, got {_digits(number)}"
        raise NotJson(f"{allowed}: use a string", code="out_of_range")
    return number


def _digits(number: int) -> str:
    if number.bit_length() > MAX_WRITTEN_BITS:
        return f"an integer of {number.bit_length()} bits"
    digits = str(number)
    return digits if len(digits) <= SHOWN_DIGITS else f"{digits[:SHOWN_DIGITS]}…"


def _float(value: float) -> float:
    number = float.__float__(value)
    if not math.isfinite(number):
        # JSON decoders parse numbers that are too large for a double as inf.
        allowed = f"must be a number within ±{sys.float_info.max}"
        raise NotJson(f"{allowed}: use a string", code="out_of_range")
    return number
