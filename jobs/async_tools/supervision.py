"""Keeps long-lived tasks running: after an exception or a foreign cancellation they start again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.cancellation import is_being_cancelled
from ostinato.jobs.logs import get_log

FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0  # a run that lasted this long did not fail because of how it started
UNHEALTHY_AFTER_S: Final = 30.0  # six restarts at the longest pause: another is unlikely to help
RESTART_S: Final = 0.1

Run = Callable[[], Awaitable[None]]

log = get_log(__name__)


class SupervisedTask:
    """One long-lived task that starts again after any exception, after a growing pause."""

    def __init__(
        self,
        name: str,
        run: Run,
        *,
        max_pause_s: float = MAX_PAUSE_S,
        reraise: tuple[type[Exception], ...] = (),
    ) -> None:
        """Exceptions in `reraise` end the task: its caller handles them."""
        self.name = name
        self._run = run
        self._reraise = reraise
        self._backoff = Backoff(FIRST_PAUSE_S, max_pause_s)
        self._began_at: float | None = None
        self._failing_since: float | None = None

    @property
    def is_dead(self) -> bool:
        """Return whether it has failed for so long that only a new process may help."""
        now = asyncio.get_running_loop().time()
        return (
            self._failing_since is not None
            and now - self._failing_since >= UNHEALTHY_AFTER_S
            and not self._is_steady(now)
        )

    async def run(self) -> None:
        """Run until the task returns, is cancelled, or raises an exception in `reraise`."""
        clock = asyncio.get_running_loop().time
        while True:
            self._began_at = clock()
            try:
                await self._run()
            except self._reraise:
                raise
            except (Exception, asyncio.CancelledError) as error:
                # Any other cancellation, as of something awaited, must not end the task silently.
                if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                    raise
                pause_s = self._failed(clock())
                log.error("task.failed", task=self.name, retry_in_s=pause_s, exc_info=error)
                await asyncio.sleep(pause_s)
            else:
                return

    def _failed(self, now: float) -> float:
        """Record a failure; returns the pause before the next start."""
        if self._failing_since is None or self._is_steady(now):
            self._failing_since = now
            self._backoff.reset()
        self._began_at = None
        return self._backoff.next_s()

    def _is_steady(self, now: float) -> bool:
        return self._began_at is not None and now - self._began_at >= STEADY_S


async def keep_running(
    name: str,
    run: Run,
    *,
    max_pause_s: float = MAX_PAUSE_S,
    reraise: tuple[type[Exception], ...] = (),
) -> None:
    """Run a long-lived task as `SupervisedTask` does, where its health is not read."""
    await SupervisedTask(name, run, max_pause_s=max_pause_s, reraise=reraise).run()


async def run_all(*tasks: Run) -> None:
    """Run endless tasks at once until one raises, or this is cancelled.

    A task that something else cancels starts again: a function may cancel every task it finds.
    """
    running = {asyncio.ensure_future(run()): run for run in tasks}
    try:
        while running:
            await _restart_if_cancelled(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _restart_if_cancelled(running: dict["asyncio.Task[None]", Run]) -> None:
    """Wait until a task ends: restart it if it was cancelled, and raise what it raised."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        run = running.pop(task)
        if task.cancelled():
            running[asyncio.ensure_future(_run_again(run))] = run
        else:
            task.result()


async def _run_again(run: Run) -> None:
    log.error("task.cancelled", task=getattr(run, "__qualname__", repr(run)))
    await asyncio.sleep(RESTART_S)  # what cancelled it may do so again at once
    await run()
