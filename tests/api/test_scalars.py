"""Scalars: accepted values and serialization."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.json_values import format_instant
from ostinato.schema.scalars import (
    MAX_SAFE_INTEGER,
    parse_cursor,
    parse_datetime,
    parse_milliseconds,
)


def test_an_instant_is_formatted_in_utc_with_milliseconds() -> None:
    berlin = timezone(timedelta(hours=1))
    instant = datetime(2030, 1, 31, 13, 0, 0, 123_456, tzinfo=berlin)
    assert format_instant(instant) == "2030-01-31T12:00:00.123Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_formatted_instant_can_be_parsed(instant: datetime) -> None:
    whole = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    assert parse_datetime(format_instant(instant)) == whole


def test_an_instant_may_have_any_offset() -> None:
    assert parse_datetime("2030-01-31T13:00:00+01:00") == datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "string"),
        (None, "string"),
        ("tomorrow", "must be like"),
        ("2030-01-31T12:00:00", "offset"),
        ("2030-01-31", "offset"),
        ("0001-01-01T00:00:00+14:00", "years 1 to 9999"),
        ("9999-12-31T23:59:59-14:00", "years 1 to 9999"),
    ],
)
def test_an_instant_without_offset_or_in_another_format_is_rejected(
    value: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_datetime(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0), (-5, -5), (1e3, 1000), (2**40, 2**40), (MAX_SAFE_INTEGER, 2**53 - 1)],
)
def test_milliseconds_are_whole_numbers_beyond_32_bits(value: object, read: int) -> None:
    assert parse_milliseconds(value) == read


@pytest.mark.parametrize("value", [1.5, "1000", True, None, float("nan"), 1e400, 2**53, [1]])
def test_other_values_for_milliseconds_are_rejected(value: object) -> None:
    with pytest.raises(ValueError, match="Milliseconds must be"):
        parse_milliseconds(value)


def test_a_cursor_is_a_string() -> None:
    assert parse_cursor("abc") == "abc"
    with pytest.raises(ValueError, match="Cursor must be a string"):
        parse_cursor(1)
