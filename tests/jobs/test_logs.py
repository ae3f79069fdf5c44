"""Log lines: limits on repeated ones, and what clients' text cannot do to them."""

import io
import logging
from collections.abc import Iterator

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


@pytest.fixture
def console(settings: Settings) -> Iterator[io.StringIO]:
    """Log to a buffer as text; restore the configuration of the tests afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    configure_logs(settings.model_copy(update={"mode": Mode.PRODUCTION, "log_json": False}))
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    buffer = io.StringIO()
    handler.setStream(buffer)
    yield buffer
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\nb", "\u202eabc", "\x9b31m", "\u2028", "\r", "\ud83d"]
)
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
