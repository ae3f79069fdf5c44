"""The scalars of the API: how each is written, and which values it accepts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from ostinato.jobs.values import instant_text

Milliseconds = NewType("Milliseconds", int)
Cursor = NewType("Cursor", str)
SafeInt = NewType("SafeInt", int)

MAX_SAFE_INTEGER = 2**53 - 1  # the largest whole number that a JavaScript client reads exactly


def read_datetime(value: object) -> datetime:
    """Read an ISO 8601 instant with its offset; finer than a millisecond is cut off."""
    if not isinstance(value, str):
        raise ValueError(f"DateTime must be an ISO 8601 string, got {value!r}")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"DateTime must be like 2030-01-31T12:00:00Z, got {value!r}") from error
    if instant.tzinfo is None:
        raise ValueError(f"DateTime must end in Z or an offset like +01:00, got {value!r}")
    try:
        instant = instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"DateTime must be of the years 1 to 9999, got {value!r}") from error
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def read_milliseconds(value: object) -> int:
    """Read a whole number; `1e3` and `1000.0` are whole numbers, as in JSON."""
    return _whole("Milliseconds", value)


def read_safe_integer(value: object) -> int:
    """Read, or write, a whole number that every client reads exactly."""
    return _whole("SafeInt", value)


def _whole(scalar: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{scalar} must be a whole number, got {value!r}")
    if abs(value) > MAX_SAFE_INTEGER:
        raise ValueError(f"{scalar} must be within ±{MAX_SAFE_INTEGER}, got {value!r}")
    return value


def read_cursor(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Cursor must be a string, got {value!r}")
    return value


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant: ISO 8601 in UTC with milliseconds, `2030-01-31T12:00:00.000Z`. "
        "As an input any offset is accepted, but there must be one.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=instant_text,
        parse_value=read_datetime,
    ),
    Milliseconds: strawberry.scalar(
        name="Milliseconds",
        description="A whole number of milliseconds, up to 9007199254740991: not limited to "
        "24.8 days as a 32-bit `Int` would be.",
        parse_value=read_milliseconds,
    ),
    SafeInt: strawberry.scalar(
        name="SafeInt",
        description="A whole number within ±9007199254740991, which JavaScript reads exactly: not "
        "limited to 32 bits as an `Int` would be.",
        serialize=read_safe_integer,
        parse_value=read_safe_integer,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A place in the stream of changes. Opaque: keep the newest one that you "
        "received and pass it as `after` to go on from there.",
        parse_value=read_cursor,
    ),
}
