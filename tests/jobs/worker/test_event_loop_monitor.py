"""The monitor reports the function that blocks the event loop, while the loop is still blocked."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from ostinato.jobs.worker.event_loop_monitor import EventLoopMonitor, LogFields
from tests.engine.rig import Rig, start_workers
from tests.processes import Processes

LIMIT_S = 0.2


def wait_in_the_thread() -> None:
    threading.Event().wait(6 * LIMIT_S)


def compute_in_c() -> None:
    """Block the interpreter, so that not even the monitor's thread can run."""
    sum(range(60_000_000))


def describe_task(task_name: str) -> LogFields:
    return {"function": f"of {task_name}"}


@asynccontextmanager
async def running_monitor() -> AsyncIterator[EventLoopMonitor]:
    monitor = EventLoopMonitor(LIMIT_S, describe_task)
    task = asyncio.create_task(monitor.run())
    await asyncio.wait({task}, timeout=LIMIT_S)
    yield monitor
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def call_in_task(call: Callable[[], None]) -> None:
    call()


async def test_warning_names_the_function_that_blocked_the_loop() -> None:
    with capture_logs() as logs:
        async with running_monitor() as monitor:
            await asyncio.create_task(call_in_task(wait_in_the_thread), name="job-7")
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=LIMIT_S)
            assert monitor.take_lag_ms() >= LIMIT_S * 1000
    (warning,) = [log for log in logs if log["event"] == "loop.blocked"]
    assert warning["function"] == "of job-7"
    assert "wait_in_the_thread (" in warning["at"]
    assert warning["blocked_ms"] >= LIMIT_S * 1000


async def test_blocking_the_interpreter_is_measured_as_lag() -> None:
    with capture_logs() as logs:
        async with running_monitor() as monitor:
            await asyncio.create_task(call_in_task(compute_in_c), name="job-7")
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=LIMIT_S)
            assert monitor.take_lag_ms() >= LIMIT_S * 1000
    assert [log["event"] for log in logs if log["sure"]] == []


async def test_unblocked_loop_logs_no_warning() -> None:
    with capture_logs() as logs:
        async with running_monitor() as monitor:
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=LIMIT_S)
            monitor.take_lag_ms()
            assert monitor.take_lag_ms() == 0
    assert logs == []


async def test_warning_of_a_worker_names_the_blocking_function_and_job(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    job_id = await rig_without_worker.schedule("block_the_loop", ms=1_500)
    await rig_without_worker.wait_until(lambda: "loop.blocked" in worker.tail())
    (line,) = [line for line in worker.tail().splitlines() if "loop.blocked" in line]
    assert all(word in line for word in ("functions.blockTheLoop", job_id, "block_the_loop"))


async def test_stopped_process_logs_no_blocking_function(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    (row,) = await rig_without_worker.all("workers")
    worker.popen.send_signal(signal.SIGSTOP)
    await rig_without_worker.wait_until(lambda: _is_silent(rig_without_worker, row))
    worker.popen.send_signal(signal.SIGCONT)
    await rig_without_worker.wait_until(lambda: _has_heartbeat(rig_without_worker, row))
    assert "loop.blocked" not in worker.tail()


async def _is_silent(rig: Rig, row: dict[str, Any]) -> bool:
    (found,) = await rig.all("workers", _id=row["_id"])
    return bool(await rig.engine.now() - found["heardAt"] > timedelta(seconds=1.5))


async def _has_heartbeat(rig: Rig, row: dict[str, Any]) -> bool:
    return not await _is_silent(rig, row)
