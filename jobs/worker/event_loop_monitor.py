"""Measures the lag of the event loop, and logs the function that blocks it for too long."""

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
MAX_FRAMES: Final = 8  # the innermost ones

LogFields = Mapping[str, str | int]
DescribeTask = Callable[[str], LogFields]
"""Returns log fields about the job that the named task runs."""

log = get_log(__name__)


class EventLoopMonitor:
    """A task that ticks, and a thread that checks whether it still does.

    While the thread itself is delayed, as when the process was stopped, only CPU time counts. A C
    function that holds the GIL delays the thread too: the function that is logged after that is a
    guess (`sure=False`), and none is logged if the loop continues before the thread does.
    """

    def __init__(self, limit_s: float, describe: DescribeTask) -> None:
        self._limit_s = limit_s
        self._describe = describe
        self._tick_s = min(MAX_TICK_S, limit_s / TICKS_PER_LIMIT)
        self._ticks = 0
        self._ticked_at = time.monotonic()
        self._worst_s = 0.0

    def take_lag_ms(self) -> int:
        """Return the highest lag of the loop since the last call."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return round(worst_s * 1000)

    async def run(self) -> None:
        """Monitor the running loop until cancelled."""
        loop = asyncio.get_running_loop()
        ended = threading.Event()
        arguments = (loop, threading.get_ident(), ended)
        thread = threading.Thread(
            target=self._watch_ticks, args=arguments, name="loop-watch", daemon=True
        )
        thread.start()
        try:
            while True:
                due = loop.time() + self._tick_s
                await asyncio.sleep(self._tick_s)
                self._worst_s = max(self._worst_s, loop.time() - due)
                self._ticks += 1
                self._ticked_at = time.monotonic()
        finally:
            ended.set()
            thread.join()

    def _watch_ticks(
        self, loop: asyncio.AbstractEventLoop, loop_thread: int, ended: threading.Event
    ) -> None:
        seen, blocked_s = self._ticks, 0.0
        real, cpu = time.monotonic(), time.process_time()
        while not ended.wait(self._tick_s):
            sure = time.monotonic() - real < 2 * self._tick_s
            passed_s = time.monotonic() - real if sure else time.process_time() - cpu
            real, cpu = time.monotonic(), time.process_time()
            if self._ticks != seen:
                seen, blocked_s = self._ticks, 0.0
                passed_s = min(passed_s, real - self._ticked_at)
            was_fine = blocked_s < self._limit_s
            blocked_s += passed_s
            if was_fine and blocked_s >= self._limit_s:
                frame = sys._current_frames().get(loop_thread)  # noqa: SLF001 (no other way)
                task = asyncio.current_task(loop)
                about = self._describe(task.get_name()) if task else {}
                _warn(frame, blocked_ms=round(blocked_s * 1000), sure=sure, **about)


def _warn(frame: FrameType | None, **about: str | int) -> None:
    stack = traceback.extract_stack(frame)
    inner = takewhile(lambda one: ASYNCIO not in Path(one.filename).parents, reversed(stack))
    places = (f"{one.name} ({one.filename}:{one.lineno})" for one in islice(inner, MAX_FRAMES))
    log.warning("loop.blocked", **about, at=" < ".join(places))
