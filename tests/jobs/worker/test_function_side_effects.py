"""Side effects of functions on their process: threads they leave, tasks they cancel."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from ostinato.jobs.async_tools.supervision import run_all
from ostinato.jobs.embedded.process import Child
from tests.engine.rig import Rig, start_workers
from tests.processes import ROOT, START_S, Processes

EXIT_WITHIN_S = 30.0


async def exit_code_of(worker: Child) -> int:
    worker.popen.terminate()
    return await asyncio.wait_for(worker.wait(), EXIT_WITHIN_S)


async def registered(rig: Rig, number: int) -> bool:
    return len(await rig.all("workers")) >= number


@pytest.mark.parametrize(
    ("kind", "number"),
    [("thread", 1), ("pool", 1), ("default pool", 1), ("default pool", 2)],
)
async def test_drained_worker_exits_despite_threads_left_by_a_function(
    rig_without_worker: Rig, processes: Processes, kind: str, number: int
) -> None:
    options = ("--processes", str(number))
    (worker,) = await start_workers(rig_without_worker, processes, options=options)
    await rig_without_worker.wait_until(
        lambda: registered(rig_without_worker, number), within=START_S
    )
    assert (await rig_without_worker.run("leave_threads", kind=kind))["state"] == "success"
    assert await exit_code_of(worker) == 0
    assert "worker.threads_still_running" in worker.tail()
    assert "process_killers.py" in worker.tail()


async def test_drained_worker_exits_despite_a_function_that_does_not_end(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    job_id = await rig_without_worker.schedule("hold_despite_cancel")
    await rig_without_worker.wait_for_state(job_id, "inProgress")
    assert await exit_code_of(worker) == 0
    assert (await rig_without_worker.job(job_id))["error"]["name"] == "WorkerStopped"


async def test_worker_without_leftover_threads_exits_normally(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    await rig_without_worker.run("echo")
    assert await exit_code_of(worker) == 0
    assert "worker.threads_still_running" not in worker.tail()


def test_worker_that_cannot_write_its_last_log_lines_exits() -> None:
    last = "main.EXIT_TIMEOUT_S = 0; sys.stdout.close(); main._force_exit(0)"
    code = f"import sys; from ostinato.jobs.worker import main; {last}"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, timeout=EXIT_WITHIN_S, check=False).returncode == 0


async def test_function_that_cancels_all_tasks_does_not_stop_the_worker(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    held = [await rig_without_worker.schedule("wait_forever_once") for _ in range(3)]
    await rig_without_worker.wait_until(
        lambda: rig_without_worker.has_jobs("wait_forever_once", "inProgress", 3)
    )
    assert (await rig_without_worker.run("cancel_everything"))["state"] == "success"
    assert {
        (await rig_without_worker.wait_until_ended(job_id, START_S))["state"] for job_id in held
    } == {"failed"}
    later = await rig_without_worker.schedule("wait_forever_once")
    await rig_without_worker.wait_for_state(later, "inProgress", within=START_S)
    await rig_without_worker.cancel(later)
    assert (await rig_without_worker.wait_until_ended(later, START_S))["state"] == "canceled"
    assert await exit_code_of(worker) == 0


class TwoTasks:
    """Two endless tasks, whose starts a test can observe."""

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[object] | None] = {}
        self.started: asyncio.Queue[str] = asyncio.Queue()
        self.broken = asyncio.Event()

    async def look(self) -> None:
        await self._run("look", asyncio.Event())

    async def listen(self) -> None:
        await self._run("listen", self.broken)
        raise ConnectionError("broken")

    async def _run(self, name: str, until: asyncio.Event) -> None:
        self.tasks[name] = asyncio.current_task()
        self.started.put_nowait(name)
        await until.wait()


@pytest.fixture
async def two_tasks() -> AsyncIterator[TwoTasks]:
    two_tasks = TwoTasks()
    together = asyncio.create_task(run_all(two_tasks.look, two_tasks.listen))
    assert {await two_tasks.started.get() for _ in range(2)} == {"look", "listen"}
    yield two_tasks
    two_tasks.broken.set()
    with pytest.raises(ConnectionError):
        await together
    assert all(task and task.done() for task in two_tasks.tasks.values())


async def test_canceled_background_task_restarts_and_the_others_continue(
    two_tasks: TwoTasks,
) -> None:
    look, listen = (two_tasks.tasks[name] for name in ("look", "listen"))
    assert look
    assert listen
    look.cancel()
    assert await two_tasks.started.get() == "look"
    assert not listen.done()


async def test_task_or_callback_that_raises_system_exit_does_not_stop_the_worker(
    rig_without_worker: Rig, processes: Processes
) -> None:
    (worker,) = await start_workers(rig_without_worker, processes)
    for behavior in ("task", "callback", "stop"):
        job = await rig_without_worker.run("leave_exit", behavior=behavior)
        assert (job["state"], job["result"], job["attempt"]) == ("success", "survived", 1)
    assert worker.popen.poll() is None
    assert await exit_code_of(worker) == 0
    assert worker.tail().count("function.exited") == 2
