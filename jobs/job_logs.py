"""The lines that functions write with `ctx.log`, as they are kept with their job: the records, the
limits, and how a line is built. No I/O."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.paging import PagePosition
from ostinato.jobs.records import Json, JsonObject

MAX_LINES: Final = 1_000  # of a job; the oldest go first
MAX_BYTES: Final = 256 * 1024  # of a job
MAX_MESSAGE_CHARS: Final = 1_000
MAX_FIELDS: Final = 32  # of a line
MAX_NAME_CHARS: Final = 64
MAX_VALUE_CHARS: Final = 1_000  # of a field, as JSON
MAX_FIELDS_CHARS: Final = 4_000  # of all fields of a line, as JSON
LINE_BYTES: Final = 64  # what a stored line needs besides its texts
UNRECORDED: Final = frozenset({"job_id", "attempt", "exc_info", "stack_info", "stacklevel"})
"""Fields that the job has already, and arguments of the logger."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


METHOD_LEVELS: Final[Mapping[str, LogLevel]] = {
    **{str(level): level for level in LogLevel},
    "warn": LogLevel.WARNING,
    "exception": LogLevel.ERROR,
    "fatal": LogLevel.CRITICAL,
}
"""The levels of the logger's methods."""


class LinePosition(NamedTuple):
    """The place of a line in its job's log; positions sort in the order of the log."""

    attempt: int
    seq: int
    """The number of the line in its attempt, from 1. A gap shows lines that were dropped."""

    def key(self) -> str:
        """Return the position as text, which sorts in the same order."""
        return f"{self.attempt:04x}{self.seq:06x}"

    def place(self) -> PagePosition | None:
        """Return the position in pages; None before every line."""
        return PagePosition(id=self.key()) if self.attempt else None


START: Final = LinePosition(0, 0)
"""Before every line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log."""

    attempt: int
    seq: int
    at: datetime
    """By the clock of the worker's host."""
    level: LogLevel
    message: str
    """The event, at most MAX_MESSAGE_CHARS characters."""
    fields: JsonObject
    """The fields, also those that were bound; large ones are cut, and then texts."""

    @property
    def position(self) -> LinePosition:
        return LinePosition(self.attempt, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBatch:
    """Consecutive lines that were stored together."""

    id: str
    job_id: str
    owner: str | None
    lines: tuple[LogLine, ...]


class UnstoredLine(NamedTuple):
    """A line that is not stored yet."""

    seq: int
    at: datetime
    level: LogLevel
    message: str
    fields: str
    """As JSON."""

    @property
    def size_bytes(self) -> int:
        return LINE_BYTES + len(self.message.encode()) + len(self.fields.encode())


def build_line(seq: int, method: str, event: object, given: Mapping[str, Any]) -> UnstoredLine:
    """Build a line from a call of the logger; values that cannot be read are replaced."""
    arguments = given.get("positional_args")
    message = _text(event)
    if arguments:
        try:
            message %= arguments
        except Exception:  # a wrong format is not a reason to fail
            message = f"{message} {_text(arguments)}"
    now = datetime.now(UTC)
    return UnstoredLine(
        seq,
        now.replace(microsecond=now.microsecond // 1_000 * 1_000),
        METHOD_LEVELS.get(method, LogLevel.INFO),
        replace_surrogates(message[:MAX_MESSAGE_CHARS]),
        _fields_json(given),
    )


def _fields_json(given: Mapping[str, Any]) -> str:
    """Return the fields as JSON within the limits; what is left out is named in `truncated`."""
    parts: list[str] = []
    left, size = 0, 2
    error = _error_of(given.get("exc_info"))
    fields = {**given, "exception": error} if error else given
    for name, value in fields.items():
        if name in UNRECORDED or name == "positional_args":
            continue
        part = f"{_json(_text(name)[:MAX_NAME_CHARS])}:{_json(value)}"
        if len(parts) >= MAX_FIELDS or size + len(part) > MAX_FIELDS_CHARS:
            left += 1
            continue
        parts.append(part)
        size += len(part) + 1
    if left:
        parts.append(f'"truncated":{left}')
    return f"{{{','.join(parts)}}}"


def _json(value: object) -> str:
    try:
        text = to_json(value, fallback=_text, inf_nan_mode="strings").decode()
    except Exception:  # values are of any class
        return _json(_text(value)) if not isinstance(value, str) else '"?"'
    if len(text) <= MAX_VALUE_CHARS:
        return text
    shortened = _text(value) if isinstance(value, str) else text
    return to_json(replace_surrogates(shortened[: MAX_VALUE_CHARS // 2]) + "…").decode()


def _text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
        return replace_surrogates(str.__str__(text))
    except Exception:  # code of a class of the user ran here
        return f"<{type(value).__name__} that cannot be printed>"


def _error_of(exc_info: object) -> str | None:
    """Return an exception without its traceback, which only admins may read."""
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) > 1 else exc_info
    if not isinstance(error, BaseException):
        return None
    return f"{type(error).__name__}: {_text(error)}"


def fields_from(text: str) -> JsonObject:
    """Return the fields of a stored line; raises ValueError if they are not a JSON object."""
    fields: Json = from_json(text)
    if not isinstance(fields, dict):
        raise ValueError("fields must be a JSON object")
    return fields


def place_of(line: LogLine) -> PagePosition:
    """Return the position of a line in pages."""
    return PagePosition(id=line.position.key(), instant=line.at)


def position_from(place: PagePosition | None) -> LinePosition | None:
    """Return the position of a line; raises BadRequest if the text is not that of a line."""
    if place is None:
        return None
    try:
        attempt, seq = int(place.id[:4], 16), int(place.id[4:], 16)
    except ValueError:
        attempt, seq = -1, -1
    found = LinePosition(attempt, seq)
    if min(found) < 0 or found.key() != place.id:
        raise BadRequest.at("after", message="must be a cursor of this list", code="invalid_cursor")
    return found
