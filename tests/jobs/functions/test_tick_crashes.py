"""Workers that are killed (SIGKILL) when they commit the ticks of a group of crons."""

import asyncio

import pytest

from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import MINUTE, PatternRig
from tests.jobs.functions.test_crons import TICK, register
from tests.processes import Processes, eventually

RUN = "tasks.runTask"
CRONS = 20
FAST_SETTINGS = {
    "functions": ("tests.engine.process_killers",),
    "heartbeat_ms": 300,
    "lease_ms": 2_000,
    "sweep_ms": 200,
}


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that detect a lost worker within two seconds."""
    return settings.model_copy(update=FAST_SETTINGS)


async def crash(rig: PatternRig, processes: Processes, when: str) -> None:
    """Run a worker that dies when it commits the ticks of a minute."""
    worker = processes.worker(**FAST_SETTINGS)
    armed = await rig.schedule_at_once("functions.killAtNextCommit", {"when": when})
    await eventually(lambda: has_ended(rig, armed.id))
    await rig.engine.advance(MINUTE)
    await asyncio.to_thread(worker.popen.wait, 60)


async def has_ended(rig: PatternRig, job_id: str) -> bool:
    return bool((await rig.find_one("jobs", _id=job_id))["state"] == "success")


async def all_ticked(rig: PatternRig) -> bool:
    """Return whether each tick job has succeeded; one that is retried is not due for a second."""
    return len(await rig.jobs(TICK, state="success")) == CRONS


@pytest.mark.parametrize("when", ["during", "after"])
async def test_each_tick_runs_once_if_its_worker_is_killed_at_the_commit(
    rig_without_worker: PatternRig, processes: Processes, when: str
) -> None:
    rig = rig_without_worker
    crons = [await register(rig, name=f"cron {number}") for number in range(CRONS)]
    await crash(rig, processes, when)
    processes.worker(**FAST_SETTINGS)
    await eventually(lambda: all_ticked(rig), within=120)
    records = await rig.all("cronTicks")
    runs = await rig.jobs(RUN)
    assert sorted(record["cronId"] for record in records) == sorted(cron.id for cron in crons)
    assert sorted(run.id for run in runs) == sorted(record["jobId"] for record in records)
    ticks = await rig.jobs(TICK, state="success")
    assert max(tick.attempt for tick in ticks) > 1
