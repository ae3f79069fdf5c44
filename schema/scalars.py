"""The custom scalars of the API: serialization and parsing."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from ostinato.jobs.json_values import format_instant

Milliseconds = NewType("Milliseconds", int)
Cursor = NewType("Cursor", str)
SafeInt = NewType("SafeInt", int)

DATE_CHARS = 10  # not the basic form or the week dates of ISO 8601
MAX_SAFE_INTEGER = 2**53 - 1  # JavaScript's Number.MAX_SAFE_INTEGER


def parse_datetime(value: object) -> datetime:
    """Parse an ISO 8601 instant with an offset; truncates to milliseconds."""
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
        raise ValueError(f"DateTime must be in the years 1 to 9999, got {value!r}") from error
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def parse_date(value: object) -> date:
    """Parse a day in the form `2030-01-31`."""
    if isinstance(value, str) and len(value) == DATE_CHARS:
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError(f"Date must be a day like 2030-01-31, got {value!r:.100}")


def parse_milliseconds(value: object) -> int:
    """Parse a whole number; accepts `1e3` and `1000.0`."""
    return _whole_number("Milliseconds", value)


def parse_safe_int(value: object) -> int:
    """Parse or serialize a whole number that every client represents exactly."""
    return _whole_number("SafeInt", value)


def _whole_number(scalar: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{scalar} must be a whole number, got {value!r}")
    if abs(value) > MAX_SAFE_INTEGER:
        raise ValueError(f"{scalar} must be within ±{MAX_SAFE_INTEGER}, got {value!r}")
    return value


def parse_cursor(value: object) -> str:
    """Check that a cursor is a string; its content is validated when used."""
    if not isinstance(value, str):
        raise ValueError(f"Cursor must be a string, got {value!r}")
    return value


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in ISO 8601, in UTC with milliseconds: `2030-01-31T12:00:00.000Z`. "
        "Inputs may have any offset, but must have one.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=format_instant,
        parse_value=parse_datetime,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day in ISO 8601, without a time or an offset: `2030-01-31`.",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    Milliseconds: strawberry.scalar(
        name="Milliseconds",
        description="A whole number of milliseconds, up to 9007199254740991. A 32-bit `Int` would "
        "be limited to 24.8 days.",
        parse_value=parse_milliseconds,
    ),
    SafeInt: strawberry.scalar(
        name="SafeInt",
        description="A whole number within ±9007199254740991, the range that JavaScript represents "
        "exactly. `Int` has only 32 bits.",
        serialize=parse_safe_int,
        parse_value=parse_safe_int,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A position in the stream of changes. Opaque: store the newest cursor that you "
        "received, and pass it as `after` to resume.",
        parse_value=parse_cursor,
    ),
}
