"""Runs several worker processes on one machine, and restarts those that exit."""

import asyncio
import signal
import time
from dataclasses import dataclass, field
from typing import Final

from ostinato.jobs.async_wait import wait_for_event
from ostinato.jobs.embedded.process import Child, spawn
from ostinato.jobs.logs import get_log

POLL_INTERVAL_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0  # one that lived this long did not die of how it starts
EXIT_MARGIN_S: Final = 10.0  # beside the drain: what a worker writes and closes at its end

log = get_log(__name__)


def pause_s(early_deaths: int) -> float:
    """Give the wait before a replacement, after so many deaths in a row soon after the start."""
    return min(FIRST_PAUSE_S * 2.0 ** min(early_deaths - 1, 10), MAX_PAUSE_S)


@dataclass(slots=True)
class _Slot:
    """Where one worker runs, or another will."""

    name: str
    child: Child | None = None
    started_at: float = 0.0
    early_deaths: int = 0
    start_at: float = field(default_factory=time.monotonic)


class ProcessSupervisor:
    """Workers as children of this process; they die with it, even when it is killed."""

    def __init__(self, command: tuple[str, ...], number: int, drain_timeout_ms: int) -> None:
        self._command = command
        self._stop_within_s = drain_timeout_ms / 1000 + EXIT_MARGIN_S
        self._slots = [_Slot(f"worker-{number}") for number in range(1, number + 1)]

    async def run(self) -> bool:
        """Keep the workers running until SIGTERM or SIGINT, then let all drain at once.

        Returns whether each ended in good order.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop.set)
        try:
            while not stop.is_set():
                for slot in self._slots:
                    self._supervise(slot)
                await wait_for_event(stop, POLL_INTERVAL_S)
        finally:
            codes = await self._stop()
        return not any(codes)

    def _supervise(self, slot: _Slot) -> None:
        now = time.monotonic()
        if slot.child is not None and slot.child.exit_code is not None:
            was_stable = now - slot.started_at >= STABLE_AFTER_S
            slot.early_deaths = 1 if was_stable else slot.early_deaths + 1
            slot.start_at = now + pause_s(slot.early_deaths)
            log.warning(
                "worker.replaced", why=slot.child.exit_description, in_s=slot.start_at - now
            )
            slot.child = None
        if slot.child is None and now >= slot.start_at:
            slot.child = spawn(slot.name, self._command)
            slot.started_at = now

    async def _stop(self) -> list[int]:
        children = [slot.child for slot in self._slots if slot.child is not None]
        return await asyncio.gather(*(child.stop(self._stop_within_s) for child in children))
