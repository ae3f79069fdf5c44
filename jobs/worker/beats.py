"""Whether MongoDB has answered this worker's heartbeats, one after another, for a while."""

import time
from collections.abc import Callable


class Beats:
    """Remembers since when the heartbeats have been answered without a gap."""

    def __init__(self, gap_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """`gap_s` between two answers is no gap yet."""
        self._gap_s = gap_s
        self._now = now
        self._since = self._last = float("-inf")

    def answered(self) -> None:
        now = self._now()
        if now - self._last > self._gap_s:
            self._since = now
        self._last = now

    def were_answered_for(self, seconds: float) -> bool:
        """Tell whether MongoDB has answered for so long, and still does."""
        now = self._now()
        return now - self._last <= self._gap_s and now - self._since >= seconds
