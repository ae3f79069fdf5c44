"""Whether MongoDB has answered this worker's heartbeats, one after another, for a while."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

NEVER: Final = float("-inf")


class HeartbeatHistory:
    """Remembers since when the heartbeats have been answered without a gap.

    A jump of the server's clock is a gap, too: by that clock everybody else has been silent then.
    """

    def __init__(self, gap_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """`gap_s` between two answers, or between the clocks, is no gap yet."""
        self._gap_s = gap_s
        self._now = now
        self._since = self._last = NEVER
        self._ahead = 0.0

    def record(self, at: datetime) -> None:
        """Note an answer, and what time it was by the server's clock."""
        now = self._now()
        ahead = at.timestamp() - now
        if now - self._last > self._gap_s or abs(ahead - self._ahead) > self._gap_s:
            self._since = now
        self._last, self._ahead = now, ahead

    def healthy_for(self, seconds: float) -> bool:
        """Tell whether MongoDB has answered for so long, and still does."""
        now = self._now()
        return now - self._last <= self._gap_s and now - self._since >= seconds
