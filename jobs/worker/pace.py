"""How long functions take, as this worker has seen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

QUICK_S: Final = 0.1
NEWEST_SHARE: Final = 0.25


class Pace:
    """Remembers a running mean of each function's real time."""

    def __init__(self) -> None:
        self._mean_s: dict[str, float] = {}

    def is_quick(self, name: str) -> bool:
        """Tell whether others may wait for this function; one that was never run is not."""
        return self._mean_s.get(name, QUICK_S) < QUICK_S

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            mean = self._mean_s.get(name, took)
            self._mean_s[name] = mean + NEWEST_SHARE * (took - mean)
