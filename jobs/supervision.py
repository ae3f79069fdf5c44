"""Keeps long-lived tasks running: what one of them raises is logged, and it starts again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ostinato.jobs.logs import get_log

FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0  # a run that lasted this long did not fail because of how it began
UNHEALTHY_AFTER_S: Final = 30.0  # six restarts at the longest pause: another is unlikely to help

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
        """`reraise` are exceptions that end the task: they are meant for whoever awaits it."""
        self.name = name
        self._run = run
        self._max_pause_s = max_pause_s
        self._reraise = reraise
        self._pause_s = FIRST_PAUSE_S
        self._began_at: float | None = None
        self._failing_since: float | None = None

    @property
    def is_dead(self) -> bool:
        """Tell whether it has been failing for so long that only a new process may help."""
        now = asyncio.get_running_loop().time()
        return (
            self._failing_since is not None
            and now - self._failing_since >= UNHEALTHY_AFTER_S
            and not self._is_steady(now)
        )

    async def run(self) -> None:
        """Run until the task returns, is cancelled, or raises one of `reraise`."""
        clock = asyncio.get_running_loop().time
        while True:
            self._began_at = clock()
            try:
                await self._run()
            except self._reraise:
                raise
            except (Exception, asyncio.CancelledError) as error:
                if _is_being_cancelled(error):
                    raise
                pause_s = self._failed(clock())
                log.error("task.failed", task=self.name, retry_in_s=pause_s, exc_info=error)
                await asyncio.sleep(pause_s)
            else:
                return

    def _failed(self, now: float) -> float:
        """Note a failure; returns how long to wait before the next start."""
        if self._failing_since is None or self._is_steady(now):
            self._failing_since, self._pause_s = now, FIRST_PAUSE_S
        self._began_at = None
        pause_s = min(self._pause_s, self._max_pause_s)
        self._pause_s = 2 * pause_s
        return pause_s

    def _is_steady(self, now: float) -> bool:
        return self._began_at is not None and now - self._began_at >= STEADY_S


async def keep_running(
    name: str,
    run: Run,
    *,
    max_pause_s: float = MAX_PAUSE_S,
    reraise: tuple[type[Exception], ...] = (),
) -> None:
    """Run a long-lived task as `SupervisedTask` does, where nobody asks how it fares."""
    await SupervisedTask(name, run, max_pause_s=max_pause_s, reraise=reraise).run()


def _is_being_cancelled(error: BaseException) -> bool:
    """Tell our own end from a cancellation that something below has brought on itself: a TaskGroup
    takes that for an orderly end, and the task would be gone without a word."""
    task = asyncio.current_task()
    is_ours = task is not None and task.cancelling() > 0
    return isinstance(error, asyncio.CancelledError) and is_ours
