"""When a job that raised runs again: exponential backoff, capped and jittered. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from jobs.lifecycle import MAX_ATTEMPTS

Random = Callable[[], float]  # uniform in [0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Run again after an exception, at base_ms, base_ms·factor, base_ms·factor², …"""

    retries: int = 3
    """How often to run again: a job has retries + 1 attempts, at most 100."""
    base_ms: int = 1000
    """The delay before the first retry."""
    factor: float = 2.0
    jitter: float = 0.0
    """From 0 to 1: each delay is spread evenly over ± this share of it."""
    max_ms: int = 24 * 60 * 60 * 1000
    """The longest delay, before jitter."""

    def __post_init__(self) -> None:
        if not 0 <= self.retries < MAX_ATTEMPTS:
            raise ValueError(f"retries is {self.retries}; allowed are 0 to {MAX_ATTEMPTS - 1}")
        if self.base_ms < 0 or self.max_ms < 0:
            raise ValueError("base_ms and max_ms must not be negative")
        if self.factor < 1:
            raise ValueError(f"factor is {self.factor}; it must be at least 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {self.jitter}; allowed are 0 to 1")

    @property
    def max_attempts(self) -> int:
        return self.retries + 1

    def delay_ms(self, failed_attempts: int, random: Random) -> int:
        """Give the delay after the given number of failed attempts (from 1)."""
        exponent = min(failed_attempts - 1, MAX_ATTEMPTS)
        delay = min(self.base_ms * min(self.factor**exponent, 1e12), self.max_ms)
        spread = self.jitter * (2 * random() - 1)
        return max(0, round(delay * (1 + spread)))


NO_RETRY = Retry(retries=0)
