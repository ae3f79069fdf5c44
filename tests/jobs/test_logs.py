"""Log lines: limits on repeated ones, and what clients' text cannot do to them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from ostinato.jobs.logs import MAX_LINES_PER_PERIOD, LogThrottle, configure_logs
from ostinato.jobs.settings import Mode, Settings


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_line_is_logged_once_per_period() -> None:
    time = Time()
    throttle = LogThrottle(60, time)
    assert [throttle.allows(key) for key in ("a", "b", "a")] == [True, True, False]
    time.now = 61
    assert throttle.allows("a")


def test_the_number_of_lines_per_period_is_limited() -> None:
    throttle = LogThrottle(60, Time())
    allowed = [throttle.allows(number) for number in range(MAX_LINES_PER_PERIOD + 1)]
    assert allowed.count(True) == MAX_LINES_PER_PERIOD
    assert not allowed[-1]


def test_a_throttle_may_have_a_lower_limit_of_lines() -> None:
    throttle = LogThrottle(60, Time(), max_lines=2)
    assert [throttle.allows(number) for number in range(4)] == [True, True, False, False]


@pytest.fixture
def console(settings: Settings) -> Iterator[io.StringIO]:
    """Log to a buffer as text."""
    with logging_to_buffer(settings.model_copy(update={"log_json": False})) as buffer:
        yield buffer


@contextmanager
def logging_to_buffer(settings: Settings) -> Iterator[io.StringIO]:
    """Log to a buffer; restore the configuration of the tests afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    configure_logs(settings.model_copy(update={"mode": Mode.PRODUCTION}))
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    buffer = io.StringIO()
    handler.setStream(buffer)
    yield buffer
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**before)


TEXTS = (
    *("\x1b[2J", "a\nb", "\x9b31m", "\u2028", "\r", "\ud83d"),
    *("\u202eabc", "\u2066", "\u200f", "\u061c", "\u200b", "\ufeff", "\U000e0041"),
)
"""Terminal escapes, line breaks, marks of text direction, and characters without width."""


@pytest.mark.parametrize("text", TEXTS)
def test_json_lines_contain_only_printable_ascii(settings: Settings, text: str) -> None:
    with logging_to_buffer(settings.model_copy(update={"log_json": True})) as buffer:
        structlog.get_logger("test").warning("job.failed", function=text, values=[text])
    (line,) = buffer.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["function"] == text


@pytest.mark.parametrize("text", TEXTS)
def test_console_escapes_characters_that_forge_lines_or_change_the_terminal(
    console: io.StringIO, text: str
) -> None:
    structlog.get_logger("test").warning("job.failed", function=text, values=[text])
    (line,) = console.getvalue().splitlines()
    assert line.isprintable()
    assert ascii(text)[1:-1].replace("\\u", "").replace("\\x", "")[-2:] in line


def test_console_escapes_the_message_of_an_exception_but_shows_its_lines(
    console: io.StringIO,
) -> None:
    try:
        raise ValueError("\x1b[31mred")
    except ValueError:
        structlog.get_logger("test").exception("failed")
    assert "ValueError: \\x1b[31mred" in console.getvalue()
    assert len(console.getvalue().splitlines()) > 3
