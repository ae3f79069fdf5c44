"""Several workers on one machine: each a process, replaced when it dies, all ended together."""

import asyncio
import signal
import time
from dataclasses import dataclass, field
from typing import Final

from ostinato.jobs.embedded.process import Child, spawn
from ostinato.jobs.logs import get_log
from ostinato.jobs.waiting import wait_for_event

LOOK_EVERY_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
SETTLED_S: Final = 60.0  # one that lived this long did not die of how it starts
LAST_STEPS_S: Final = 10.0  # beside the drain: what a worker writes and closes at its end

log = get_log(__name__)


def pause_s(early_deaths: int) -> float:
    """Give the wait before a replacement, after so many deaths in a row soon after the start."""
    return min(FIRST_PAUSE_S * 2.0 ** min(early_deaths - 1, 10), LONGEST_PAUSE_S)


@dataclass(slots=True)
class _Place:
    """Where one worker runs, or another will."""

    name: str
    child: Child | None = None
    started_at: float = 0.0
    early_deaths: int = 0
    start_at: float = field(default_factory=time.monotonic)


class Crew:
    """Workers as children of this process; they die with it, even when it is killed."""

    def __init__(self, command: tuple[str, ...], number: int, drain_timeout_ms: int) -> None:
        self._command = command
        self._stop_within_s = drain_timeout_ms / 1000 + LAST_STEPS_S
        self._places = [_Place(f"worker-{number}") for number in range(1, number + 1)]

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
                for place in self._places:
                    self._tend(place)
                await wait_for_event(stop, LOOK_EVERY_S)
        finally:
            codes = await self._stop()
        return not any(codes)

    def _tend(self, place: _Place) -> None:
        now = time.monotonic()
        if place.child is not None and place.child.exit_code is not None:
            settled = now - place.started_at >= SETTLED_S
            place.early_deaths = 1 if settled else place.early_deaths + 1
            place.start_at = now + pause_s(place.early_deaths)
            log.warning("worker.replaced", why=place.child.ending, in_s=place.start_at - now)
            place.child = None
        if place.child is None and now >= place.start_at:
            place.child = spawn(place.name, self._command)
            place.started_at = now

    async def _stop(self) -> list[int]:
        children = [place.child for place in self._places if place.child is not None]
        return await asyncio.gather(*(child.stop(self._stop_within_s) for child in children))
