"""Supervision of long-lived tasks: restart after an exception or a foreign cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.cancellation import is_being_cancelled
from ostinato.jobs.logs import get_log

FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0  # a later failure is not a startup failure
UNHEALTHY_AFTER_S: Final = 30.0  # six restarts at the maximum pause; another is unlikely to help
RESTART_S: Final = 0.1

Run = Callable[[], Awaitable[None]]

log = get_log(__name__)


class SupervisedTask:
    """One long-lived task, restarted after any exception with exponential backoff."""

    def __init__(
        self,
        name: str,
        run: Run,
        *,
        max_pause_s: float = MAX_PAUSE_S,
        reraise: tuple[type[Exception], ...] = (),
    ) -> None:
        """Exceptions in `reraise` end the task and propagate to the caller."""
        self.name = name
        self._run = run
        self._reraise = reraise
        self._backoff = Backoff(FIRST_PAUSE_S, max_pause_s)
        self._began_at: float | None = None
        self._failing_since: float | None = None

    @property
    def is_dead(self) -> bool:
        """Return whether the task has failed for so long that only a new process may help."""
        now = asyncio.get_running_loop().time()
        return (
            self._failing_since is not None
            and now - self._failing_since >= UNHEALTHY_AFTER_S
            and not self._is_steady(now)
        )

    async def run(self) -> None:
        """Run until the task returns, is canceled, or raises an exception in `reraise`."""
        clock = asyncio.get_running_loop().time
        while True:
            self._began_at = clock()
            try:
                await self._run()
            except self._reraise:
                raise
            except (Exception, asyncio.CancelledError) as error:
                # A foreign cancellation, as of an awaited task, must not end this task silently.
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
    """Run a `SupervisedTask` whose health is not monitored."""
    await SupervisedTask(name, run, max_pause_s=max_pause_s, reraise=reraise).run()


async def run_all(*tasks: Run) -> None:
    """Run endless tasks concurrently until one raises or the caller is canceled.

    A task canceled by anything else is restarted: user code may cancel every task it finds.
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
    """Wait for a task to end; restart it if it was canceled, else propagate its exception."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        run = running.pop(task)
        if task.cancelled():
            running[asyncio.ensure_future(_run_again(run))] = run
        else:
            task.result()


async def _run_again(run: Run) -> None:
    log.error("task.cancelled", task=getattr(run, "__qualname__", repr(run)))
    await asyncio.sleep(RESTART_S)  # the canceling code may run in a loop
    await run()
