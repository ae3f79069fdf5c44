"""Lines of logs: what is kept of any event and fields."""

import json
from typing import Any

import pytest

from ostinato.jobs import job_logs
from ostinato.jobs.job_logs import LogLevel, UnstoredLine, build_line


def fields_of(line: UnstoredLine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line.fields)
    return found


class Unprintable:
    """A value whose text cannot be read."""

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": [1, None]}, {"a": [1, None]}),
        (float("nan"), "NaN"),
        (2**70, 2**70),
        (Unprintable(), "<Unprintable that cannot be printed>"),
        ("\ud800", "?"),
        ({1: object}, {"1": "<class 'object'>"}),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_any_value_of_a_field_becomes_json(value: object, kept: object) -> None:
    line = build_line(1, "info", "seen", {"value": value, "job_id": "x", "attempt": 1})
    (name, found), *others = fields_of(line).items()
    assert (name, others) == ("value", [])
    assert found == kept


def test_a_line_has_a_limited_size() -> None:
    large = {f"field-{number}": "é" * 5_000 for number in range(100)}
    line = build_line(1, "error", "m" * 5_000, large)
    assert len(line.message) == job_logs.MAX_MESSAGE_CHARS
    assert line.size_bytes < 12_000
    assert fields_of(line)["truncated"] > 60
    many = build_line(1, "error", "many", dict.fromkeys(map(str, range(100)), 1))
    assert len(fields_of(many)) == job_logs.MAX_FIELDS + 1


def test_an_exception_is_kept_without_its_traceback() -> None:
    error = ValueError("no paper")
    line = build_line(3, "exception", "print %s", {"exc_info": error, "positional_args": ("it",)})
    assert (line.seq, line.level, line.message) == (3, LogLevel.ERROR, "print it")
    assert fields_of(line) == {"exception": "ValueError: no paper"}


def test_a_wrong_format_keeps_the_arguments() -> None:
    line = build_line(1, "warn", "a %d", {"positional_args": ("b",)})
    assert (line.level, line.message) == (LogLevel.WARNING, "a %d ('b',)")
