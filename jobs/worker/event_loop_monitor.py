"""Measures event loop lag, and logs functions that block the loop."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from itertools import islice, takewhile
from pathlib import Path
from types import FrameType
from typing import Final

from ostinato.jobs.logs import get_log

MAX_TICK_S: Final = 0.25
TICKS_PER_LIMIT: Final = 8
ASYNCIO: Final = Path(asyncio.__file__).parent
MAX_FRAMES: Final = 8  # innermost frames

LogFields = Mapping[str, str | int]
DescribeTask = Callable[[str], LogFields]
"""Returns log fields about the job that the named task runs."""

log = get_log(__name__)


class EventLoopMonitor:
    """A ticking task in the loop, and a watchdog thread that detects missing ticks.

    If the watchdog itself was delayed (the process was suspended), only CPU time counts. A C
    function that holds the GIL also delays the watchdog: the function logged afterwards is a guess
    (`sure=False`), and nothing is logged if the loop resumes before the watchdog.
    """

    def __init__(self, limit_s: float, describe: DescribeTask) -> None:
        self._limit_s = limit_s
        self._describe = describe
        self._tick_s = min(MAX_TICK_S, limit_s / TICKS_PER_LIMIT)
        self._ticks = 0
        self._ticked_at = time.monotonic()
        self._max_lag_s = 0.0

    def take_lag_ms(self) -> int:
        """Return the maximum lag since the previous call."""
        max_lag_s, self._max_lag_s = self._max_lag_s, 0.0
        return round(max_lag_s * 1000)

    async def run(self) -> None:
        """Monitor the running loop until canceled."""
        loop = asyncio.get_running_loop()
        stopped = threading.Event()
        arguments = (loop, threading.get_ident(), stopped)
        thread = threading.Thread(
            target=self._watch_ticks, args=arguments, name="loop-watch", daemon=True
        )
        thread.start()
        try:
            while True:
                expected_at = loop.time() + self._tick_s
                await asyncio.sleep(self._tick_s)
                self._max_lag_s = max(self._max_lag_s, loop.time() - expected_at)
                self._ticks += 1
                self._ticked_at = time.monotonic()
        finally:
            stopped.set()
            thread.join()

    def _watch_ticks(
        self, loop: asyncio.AbstractEventLoop, loop_thread: int, stopped: threading.Event
    ) -> None:
        seen, blocked_s = self._ticks, 0.0
        real, cpu = time.monotonic(), time.process_time()
        while not stopped.wait(self._tick_s):
            sure = time.monotonic() - real < 2 * self._tick_s
            passed_s = time.monotonic() - real if sure else time.process_time() - cpu
            real, cpu = time.monotonic(), time.process_time()
            if self._ticks != seen:
                seen, blocked_s = self._ticks, 0.0
                passed_s = min(passed_s, real - self._ticked_at)
            was_below_limit = blocked_s < self._limit_s
            blocked_s += passed_s
            if was_below_limit and blocked_s >= self._limit_s:
                frame = sys._current_frames().get(loop_thread)  # noqa: SLF001 (no other way)
                task = asyncio.current_task(loop)
                about = self._describe(task.get_name()) if task else {}
                _warn(frame, blocked_ms=round(blocked_s * 1000), sure=sure, **about)


def _warn(frame: FrameType | None, **about: str | int) -> None:
    stack = traceback.extract_stack(frame)
    inner = takewhile(lambda one: ASYNCIO not in Path(one.filename).parents, reversed(stack))
    places = (f"{one.name} ({one.filename}:{one.lineno})" for one in islice(inner, MAX_FRAMES))
    log.warning("loop.blocked", **about, at=" < ".join(places))
