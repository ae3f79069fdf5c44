"""Logging: events with fields, as text or as one JSON object per line. Never logs a secret."""

import logging
import sys
import time
from collections.abc import Callable, Hashable
from typing import Any, Final

import structlog
from structlog.typing import EventDict

from ostinato.jobs.settings import Settings

Log = structlog.stdlib.BoundLogger

QUIET_LIBRARIES = ("arq", "motor", "pymongo", "asyncio", "httpx", "watchfiles")
"""Libraries logged at WARNING and above."""

MULTILINE: Final = frozenset({"exception", "stack"})
LINE_BREAKS: Final = "\n\t"
REPEAT_S: Final = 60.0
MAX_LINES_PER_PERIOD: Final = 1_000  # per throttle; further lines are dropped


def get_log(name: str, **fields: object) -> Log:
    """Return a logger bound to `fields`; it is configured on first use."""
    log: Log = structlog.get_logger(name, **fields)
    return log


class LogThrottle:
    """Suppresses repeated lines: allows the first of equal lines in each period."""

    def __init__(
        self,
        period_s: float,
        now: Callable[[], float] = time.monotonic,
        *,
        max_lines: int = MAX_LINES_PER_PERIOD,
    ) -> None:
        self._period_s = period_s
        self._max_lines = max_lines
        self._now = now
        self._logged: set[Hashable] = set()
        self._since = now()

    def allows(self, key: Hashable) -> bool:
        """Return whether to log the line identified by `key`, and mark it as logged."""
        if self._now() - self._since > self._period_s:
            self._logged.clear()
            self._since = self._now()
        if key in self._logged or len(self._logged) >= self._max_lines:
            return False
        self._logged.add(key)
        return True


class RepeatedWarning:
    """Logs the errors of a loop: each message at most once a minute."""

    def __init__(self, log: Log, event: str) -> None:
        self._log = log
        self._event = event
        self._throttle = LogThrottle(REPEAT_S)

    def write(self, error: Exception, **fields: object) -> None:
        """Log an error, unless the same one was logged within a minute."""
        if self._throttle.allows(text := str(error)):
            self._log.warning(self._event, error=text, **fields)


def _without_colors(_: object, __: str, event: EventDict) -> EventDict:
    """Drop uvicorn's copy of its message with terminal escape sequences."""
    event.pop("color_message", None)
    return event


def escape_controls(_: object, __: str, event: EventDict) -> EventDict:
    """Escape characters that could forge lines, or change what a terminal shows.

    A client's text could contain line breaks, escape sequences and marks of text direction.
    """
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = escape_text(value, LINE_BREAKS if key in MULTILINE else "")
    return event


def escape_text(text: str, kept: str = "") -> str:
    """Escape control characters, line breaks, marks of text direction and other characters that
    are not printable, except those in `kept`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in kept else ascii(each)[1:-1] for each in text
    )


def log_through_standard_library() -> None:
    """Send events to the loggers of `logging`, unless the process has configured structlog.

    For a process that is not ours: its handlers and levels stay as they are.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def configure_logs(settings: Settings) -> None:
    """Set up logging for the process; called once, at start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colors,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if settings.log_json
        else [escape_controls, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *renderers,
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
