"""How functions have done so far, as this worker has seen: how long they take, how they end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

from ostinato.jobs.mongo.client import is_transient

QUICK_S: Final = 0.1
NEWEST_SHARE: Final = 0.25
OFTEN: Final = 0.1  # of the runs
NEWEST_RUN: Final = 0.1  # its share in how often: one that goes wrong is enough until one goes well


class Company(Enum):
    """With whom a function may share a transaction."""

    ANY = auto()
    RIVALS = auto()
    """Others that often meet rivals: who meets one has all who share with it begin anew."""
    NONE = auto()


class Pace:
    """Remembers running means of each function: its real time, how often it fails, and how often
    it meets a rival."""

    def __init__(self) -> None:
        self._mean_s: dict[str, float] = {}
        self._failing: dict[str, float] = {}
        self._contended: dict[str, float] = {}

    def company(self, name: str) -> Company:
        """Tell who may wait for this function, and begin anew if it does not come to its end."""
        is_quick = self._mean_s.get(name, QUICK_S) < QUICK_S  # one that was never run is not
        if not is_quick or self._failing.get(name, 0.0) >= OFTEN:
            return Company.NONE
        return Company.RIVALS if self._contended.get(name, 0.0) >= OFTEN else Company.ANY

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        has_failed = met_rival = False
        try:
            yield
        except Exception as error:
            met_rival = is_transient(error)
            has_failed = not met_rival
            raise
        finally:
            _move(self._mean_s, name, time.monotonic() - began, NEWEST_SHARE)
            _move(self._failing, name, has_failed, NEWEST_RUN, 0.0)
            _move(self._contended, name, met_rival, NEWEST_RUN, 0.0)


def _move(
    means: dict[str, float], name: str, newest: float, share: float, start: float | None = None
) -> None:
    mean = means.get(name, newest if start is None else start)
    means[name] = mean + share * (newest - mean)
