"""Retry policies: exponential backoff with a maximum and jitter. No I/O."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ostinato.jobs.lifecycle import MAX_ATTEMPTS, MAX_DELAY_MS

Random = Callable[[], float]  # uniform in [0, 1)
ErrorClasses = tuple[type[BaseException], ...]

FIRST_DAY: Final = datetime(
    1, 1, 2, tzinfo=UTC
)  # one day inside the limits of datetime, valid in every time zone
LAST_DAY: Final = datetime(9999, 12, 31, tzinfo=UTC)


class RetryAfter(Exception):
    """Raised by a function to be retried at a given time, e.g. after an HTTP 429.

    The next attempt is due at exactly that time, regardless of the policy's delays and `retry_on`.
    It counts as one of the policy's attempts: if none is left, the job fails. `when` is a number of
    milliseconds from now, at most five years, or an aware datetime: a past one is due at once, one
    further ahead is limited to five years. Raises ValueError for anything else.
    """

    def __init__(self, when: int | datetime, message: str | None = None) -> None:
        self.when = parse_when(when)
        super().__init__(message or f"retry requested {_in_words(self.when)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Retry policy: exponential backoff by base_ms, base_ms·factor, base_ms·factor², …"""

    retries: int = 3
    """Maximum number of retries: a job has retries + 1 attempts, at most 100."""
    base_ms: int = 1000
    """The delay before the first retry."""
    factor: float = 2.0
    jitter: float = 0.0
    """From 0 to 1: each delay varies randomly by up to ± this fraction."""
    max_ms: int = 24 * 60 * 60 * 1000
    """The maximum delay, before jitter."""
    retry_on: ErrorClasses = (BaseException,)
    """Retry only after these exceptions; after a group, only if it contains no others."""
    give_up_on: ErrorClasses = ()
    """Never retry after these, or a group with one of them; takes precedence over `retry_on`."""

    def __post_init__(self) -> None:
        for name in ("retries", "base_ms", "max_ms"):
            require_whole(name, getattr(self, name))
        for name in ("factor", "jitter"):
            _require_number(name, getattr(self, name))
        if not 0 <= self.retries < MAX_ATTEMPTS:
            raise ValueError(f"retries must be 0 to {MAX_ATTEMPTS - 1}, got {self.retries}")
        if self.base_ms < 0 or self.max_ms < 0:
            raise ValueError("base_ms and max_ms must not be negative")
        if self.factor < 1:
            raise ValueError(f"factor must be at least 1, got {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be 0 to 1, got {self.jitter}")
        for name in ("retry_on", "give_up_on"):
            _require_classes(name, getattr(self, name))

    @property
    def max_attempts(self) -> int:
        return self.retries + 1

    def covers(self, error: BaseException) -> bool:
        """Return whether to retry after an error; never raises.

        Uses `type`, because `__class__` may be user code.
        """
        found = [type(each) for each in _leaves(error)]
        if any(issubclass(each, self.give_up_on) for each in found):
            return False
        return all(issubclass(each, (*self.retry_on, RetryAfter)) for each in found)

    def delay_ms(self, failed_attempts: int, random: Random) -> int:
        """Return the delay after the given number of failed attempts (from 1)."""
        exponent = min(failed_attempts - 1, MAX_ATTEMPTS)
        delay = min(self.base_ms * min(self.factor**exponent, 1e12), self.max_ms)
        spread = self.jitter * (2 * random() - 1)
        return max(0, round(delay * (1 + spread)))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    unvisited = [error]
    while unvisited:  # no recursion: groups may be nested more deeply than the stack allows
        each = unvisited.pop()
        if issubclass(type(each), BaseExceptionGroup):
            unvisited += BaseExceptionGroup.exceptions.__get__(each)
        else:
            yield each


def require_whole(name: str, value: object) -> None:
    """Raise TypeError unless the value is a whole number; MongoDB's shell stores 5 as 5.0."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise TypeError(f"{name} must be a whole number, got {value!r}")


def _require_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")


def _require_classes(name: str, value: object) -> None:
    if not isinstance(value, tuple):
        raise TypeError(f"{name} must be a tuple of exception classes, got {value!r}")
    for each in value:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise ValueError(f"{name} must contain only exception classes, got {each!r}")


def parse_when(when: object) -> int | datetime:
    """Return milliseconds, or a time in UTC; raises ValueError for anything else."""
    if isinstance(when, datetime):
        return _in_utc(when)
    if isinstance(when, bool) or not isinstance(when, int) or not 0 <= when <= MAX_DELAY_MS:
        raise ValueError(f"must be a datetime or 0 to {MAX_DELAY_MS} milliseconds, got {when!r}")
    return int(when)


def _in_utc(when: datetime) -> datetime:
    """Return an aware time in UTC, clamped to the range of datetime."""
    offset = when.utcoffset()
    if offset is None:
        raise ValueError("the time has no time zone: pass an aware datetime")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        return LAST_DAY if offset < timedelta(0) else FIRST_DAY


def _in_words(when: int | datetime) -> str:
    return f"at {when.isoformat()}" if isinstance(when, datetime) else f"in {when} ms"


NO_RETRY: Final = Retry(retries=0)
