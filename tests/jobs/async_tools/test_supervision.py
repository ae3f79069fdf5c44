"""Long-lived tasks restart after any exception, until they are cancelled."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.async_tools.supervision import SupervisedTask, keep_running
from tests.processes import eventually


class LeaderChanged(Exception):
    """An exception that the task reraises."""


class Failing:
    """Raises the exceptions one after another, and then runs forever."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.Event().wait()


async def cancel_and_wait(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ExceptionGroup("two", [KeyError("a"), OSError("b")])]
)
async def test_failed_task_is_logged_and_restarted(error: Exception) -> None:
    failing = Failing(error)
    with capture_logs() as logs:
        task = asyncio.create_task(keep_running("dispatcher", failing.run))
        await eventually(lambda: failing.starts == 2, within=30)
    (line,) = logs
    assert (line["event"], line["task"], line["exc_info"]) == ("task.failed", "dispatcher", error)
    await cancel_and_wait(task)


async def test_cancellation_raised_inside_the_task_restarts_it() -> None:
    failing = Failing(asyncio.CancelledError("raised inside"))
    task = asyncio.create_task(keep_running("consumer", failing.run))
    await eventually(lambda: failing.starts == 2, within=30)
    await cancel_and_wait(task)


async def test_exception_to_reraise_ends_the_task() -> None:
    failing = Failing(LeaderChanged())
    with pytest.raises(LeaderChanged):
        await keep_running("heartbeat", failing.run, reraise=(LeaderChanged,))
    assert failing.starts == 1


async def test_restart_delays_grow_up_to_a_maximum() -> None:
    failing = Failing(*map(RuntimeError, "abcd"))
    with capture_logs() as logs:
        task = asyncio.create_task(keep_running("heartbeat", failing.run, max_pause_s=0.2))
        await eventually(lambda: failing.starts == 5, within=30)
    assert [line["retry_in_s"] for line in logs] == [0.1, 0.2, 0.2, 0.2]
    await cancel_and_wait(task)


async def test_task_is_dead_after_failing_repeatedly_for_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.jobs.async_tools.supervision.UNHEALTHY_AFTER_S", 0)
    failing = Failing(RuntimeError("a bug"))
    supervised = SupervisedTask("change feed", failing.run)
    assert not supervised.is_dead
    task = asyncio.create_task(supervised.run())
    await eventually(lambda: supervised.is_dead, within=30)
    await cancel_and_wait(task)


async def test_task_that_runs_long_enough_is_no_longer_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.jobs.async_tools.supervision.UNHEALTHY_AFTER_S", 0)
    monkeypatch.setattr("ostinato.jobs.async_tools.supervision.STEADY_S", 0)
    failing = Failing(RuntimeError("a bug"))
    supervised = SupervisedTask("change feed", failing.run)
    task = asyncio.create_task(supervised.run())
    await eventually(lambda: failing.starts == 2, within=30)
    assert not supervised.is_dead
    await cancel_and_wait(task)
