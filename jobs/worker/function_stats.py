"""Moving averages per function on this worker: duration, failure rate, conflict rate."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

from ostinato.jobs.mongo.client import is_transient_transaction_error

QUICK_S: Final = 0.1
DURATION_WEIGHT: Final = 0.25
FREQUENT_RATE: Final = 0.1  # share of runs
RATE_WEIGHT: Final = 0.1  # a single failure counts as frequent until a success


class SharingClass(Enum):
    """Groups of functions whose bodies may share a transaction."""

    ANY = auto()
    CONTENDED = auto()
    """Often conflicting, so they share only with each other: a conflict restarts all members."""
    SOLO = auto()


class FunctionStats:
    """Mean duration, failure rate and conflict rate of each function."""

    def __init__(self) -> None:
        self._mean_s: dict[str, float] = {}
        self._failure_rates: dict[str, float] = {}
        self._conflict_rates: dict[str, float] = {}

    def sharing_class(self, name: str) -> SharingClass:
        """Return the functions with which a function may share a transaction."""
        is_quick = self._mean_s.get(name, QUICK_S) < QUICK_S  # unknown counts as slow
        if not is_quick or self._failure_rates.get(name, 0.0) >= FREQUENT_RATE:
            return SharingClass.SOLO
        return (
            SharingClass.CONTENDED
            if self._conflict_rates.get(name, 0.0) >= FREQUENT_RATE
            else SharingClass.ANY
        )

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        has_failed = conflicted = False
        try:
            yield
        except Exception as error:
            conflicted = is_transient_transaction_error(error)
            has_failed = not conflicted
            raise
        finally:
            _update_mean(self._mean_s, name, time.monotonic() - began, DURATION_WEIGHT)
            _update_mean(self._failure_rates, name, has_failed, RATE_WEIGHT, 0.0)
            _update_mean(self._conflict_rates, name, conflicted, RATE_WEIGHT, 0.0)


def _update_mean(
    means: dict[str, float], name: str, newest: float, weight: float, initial: float | None = None
) -> None:
    mean = means.get(name, newest if initial is None else initial)
    means[name] = mean + weight * (newest - mean)
