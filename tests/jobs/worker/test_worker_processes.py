"""`ostinato worker --processes N` starts N workers, replaces dead ones and drains them together."""

import os
import signal
from pathlib import Path

import pytest

from ostinato.jobs.embedded.process import Child
from tests.engine.rig import Rig
from tests.jobs.conftest import FAST_SETTINGS, MODULES
from tests.processes import START_S, Processes, eventually, runs


async def pids(rig: Rig) -> set[int]:
    return {row["pid"] for row in await rig.all("workers")}


async def supervised(rig: Rig, processes: Processes, number: int) -> tuple[Child, set[int]]:
    """Start a parent process; return it with the process ids of its workers once all are ready."""
    given = {**FAST_SETTINGS, "functions": MODULES, "drain_timeout_ms": 10_000}
    supervisor = processes.worker("--processes", str(number), **given)

    async def all_there() -> set[int]:
        found = await pids(rig)
        return found if len(found) == number else set()

    return supervisor, await eventually(all_there, within=START_S)


async def test_killed_worker_process_is_replaced(idle: Rig, processes: Processes) -> None:
    supervisor, first = await supervised(idle, processes, 2)
    assert supervisor.popen.pid not in first
    os.kill(min(first), signal.SIGKILL)

    async def replaced() -> bool:
        found = await pids(idle)
        return len(found) == 2 and min(first) not in found

    await idle.until(replaced, within=START_S)
    assert "worker.replaced" in supervisor.tail()
    assert (await idle.run("echo"))["state"] == "success"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_parent_process_that_is_stopped_drains_all_its_workers(
    idle: Rig, processes: Processes, tmp_path: Path, signum: signal.Signals
) -> None:
    supervisor, workers = await supervised(idle, processes, 2)
    jobs = [await idle.schedule("wait_for_file", name=str(tmp_path / "go")) for _ in range(4)]
    for job_id in jobs:
        await idle.reaches(job_id, "inProgress")
    supervisor.popen.send_signal(signum)
    (tmp_path / "go").touch()
    assert {(await idle.ended(job_id))["state"] for job_id in jobs} == {"success"}
    await idle.until(lambda: supervisor.exit_code == 0)
    assert not any(map(runs, workers))
    assert await idle.all("workers") == []


async def test_workers_end_when_their_parent_process_is_killed(
    idle: Rig, processes: Processes
) -> None:
    supervisor, workers = await supervised(idle, processes, 2)
    supervisor.popen.kill()
    await idle.until(lambda: not any(map(runs, workers)))
