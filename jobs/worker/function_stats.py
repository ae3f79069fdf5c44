"""How functions have done so far, as this worker has seen: how long they take, how they end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

from ostinato.jobs.mongo.client import is_transient_transaction_error

QUICK_S: Final = 0.1
NEWEST_WEIGHT: Final = 0.25
FREQUENT: Final = 0.1  # of the runs
NEWEST_RUN_WEIGHT: Final = (
    0.1  # its share in how often: one that goes wrong is enough until one goes well
)


class BatchClass(Enum):
    """With whom a function may share a transaction."""

    ANY = auto()
    CONTENDED = auto()
    """Others that often meet rivals: who meets one has all who share with it begin anew."""
    SOLO = auto()


class FunctionStats:
    """Remembers running means of each function: its real time, how often it fails, and how often
    it meets a rival."""

    def __init__(self) -> None:
        self._mean_s: dict[str, float] = {}
        self._failing: dict[str, float] = {}
        self._contended: dict[str, float] = {}

    def batch_class(self, name: str) -> BatchClass:
        """Tell who may wait for this function, and begin anew if it does not come to its end."""
        is_quick = self._mean_s.get(name, QUICK_S) < QUICK_S  # one that was never run is not
        if not is_quick or self._failing.get(name, 0.0) >= FREQUENT:
            return BatchClass.SOLO
        return (
            BatchClass.CONTENDED if self._contended.get(name, 0.0) >= FREQUENT else BatchClass.ANY
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
            _update_mean(self._mean_s, name, time.monotonic() - began, NEWEST_WEIGHT)
            _update_mean(self._failing, name, has_failed, NEWEST_RUN_WEIGHT, 0.0)
            _update_mean(self._contended, name, conflicted, NEWEST_RUN_WEIGHT, 0.0)


def _update_mean(
    means: dict[str, float], name: str, newest: float, share: float, start: float | None = None
) -> None:
    mean = means.get(name, newest if start is None else start)
    means[name] = mean + share * (newest - mean)
