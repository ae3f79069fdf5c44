"""Runs several worker processes on one machine, and restarts those that exit."""

import asyncio
import signal
from collections import defaultdict
from typing import Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.embedded.process import Child, ProcessSupervisor
from ostinato.jobs.logs import get_log

POLL_INTERVAL_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0  # a later exit is not a startup failure
EXIT_MARGIN_S: Final = 10.0  # added to the drain timeout, for a worker's final writes

log = get_log(__name__)


async def run_workers(command: tuple[str, ...], number: int, drain_timeout_ms: int) -> bool:
    """Run `number` workers until SIGTERM or SIGINT, then drain all concurrently.

    Returns whether all exited with code 0.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    commands = {f"worker-{index}": command for index in range(1, number + 1)}
    workers = ProcessSupervisor(commands, _RestartBackoff().next_s)
    try:
        while not stop.is_set():
            workers.check()
            await wait_for_event(stop, POLL_INTERVAL_S)
    finally:
        exit_codes = await workers.stop(drain_timeout_ms / 1000 + EXIT_MARGIN_S)
    return not any(exit_codes)


class _RestartBackoff:
    """Exponential restart backoff for each worker."""

    def __init__(self) -> None:
        self._backoffs: defaultdict[str, Backoff] = defaultdict(
            lambda: Backoff(FIRST_PAUSE_S, MAX_PAUSE_S, stable_s=STABLE_AFTER_S)
        )

    def next_s(self, child: Child, ran_s: float) -> float:
        pause_s = self._backoffs[child.name].next_s(ran_s)
        log.warning("worker.replaced", why=child.exit_description, in_s=pause_s)
        return pause_s
