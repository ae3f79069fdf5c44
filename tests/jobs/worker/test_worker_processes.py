"""`ostinato worker --processes N` starts N workers, replaces dead ones and drains them together."""

import os
import signal
from pathlib import Path

import pytest

from ostinato.jobs.embedded.process import Child
from tests.engine.rig import Rig
from tests.jobs.conftest import FAST_SETTINGS, FUNCTION_MODULES
from tests.processes import START_S, Processes, eventually, is_running


async def pids(rig: Rig) -> set[int]:
    return {row["pid"] for row in await rig.all("workers")}


async def start_supervisor(rig: Rig, processes: Processes, number: int) -> tuple[Child, set[int]]:
    """Start a parent process; return it and the process ids of its workers once all are ready."""
    options = {**FAST_SETTINGS, "functions": FUNCTION_MODULES, "drain_timeout_ms": 10_000}
    supervisor = processes.worker("--processes", str(number), **options)

    async def all_registered() -> set[int]:
        found = await pids(rig)
        return found if len(found) == number else set()

    return supervisor, await eventually(all_registered, within=START_S)


async def test_killed_worker_process_is_replaced(
    rig_without_worker: Rig, processes: Processes
) -> None:
    supervisor, first = await start_supervisor(rig_without_worker, processes, 2)
    assert supervisor.popen.pid not in first
    os.kill(min(first), signal.SIGKILL)

    async def replaced() -> bool:
        found = await pids(rig_without_worker)
        return len(found) == 2 and min(first) not in found

    await rig_without_worker.wait_until(replaced, within=START_S)
    assert "worker.replaced" in supervisor.tail()
    assert (await rig_without_worker.run("echo"))["state"] == "success"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_parent_process_that_is_stopped_drains_all_its_workers(
    rig_without_worker: Rig, processes: Processes, tmp_path: Path, signum: signal.Signals
) -> None:
    supervisor, workers = await start_supervisor(rig_without_worker, processes, 2)
    jobs = [
        await rig_without_worker.schedule("wait_for_file", name=str(tmp_path / "go"))
        for _ in range(4)
    ]
    for job_id in jobs:
        await rig_without_worker.wait_for_state(job_id, "inProgress")
    supervisor.popen.send_signal(signum)
    (tmp_path / "go").touch()
    assert {(await rig_without_worker.wait_until_ended(job_id))["state"] for job_id in jobs} == {
        "success"
    }
    await rig_without_worker.wait_until(lambda: supervisor.exit_code == 0)
    assert not any(map(is_running, workers))
    assert await rig_without_worker.all("workers") == []


async def test_workers_end_when_their_parent_process_is_killed(
    rig_without_worker: Rig, processes: Processes
) -> None:
    supervisor, workers = await start_supervisor(rig_without_worker, processes, 2)
    supervisor.popen.kill()
    await rig_without_worker.wait_until(lambda: not any(map(is_running, workers)))
