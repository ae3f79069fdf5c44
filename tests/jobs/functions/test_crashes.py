"""Batches whose worker processes are killed (SIGKILL) in the middle of a page."""

from pathlib import Path

import pytest
from bson import ObjectId

from ostinato.jobs.functions.batch import NewBatch, start_batch
from ostinato.jobs.records import BatchState
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import PatternRig
from tests.processes import Processes, eventually

CRATES = [ObjectId(f"{number:024}") for number in range(10)]
FAST_SETTINGS = {
    "functions": ("tests.jobs.functions.work",),
    "heartbeat_ms": 300,
    "lease_ms": 2_000,
    "sweep_ms": 200,
}


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that detect a lost worker within two seconds."""
    return settings.model_copy(update=FAST_SETTINGS)


async def fill(rig: PatternRig, folder: Path) -> None:
    await rig.engine.mongo["crates"].insert_many(
        [
            {"_id": crate, "owner": "alice", "sent": False, "times": 0, "folder": str(folder)}
            for crate in CRATES
        ]
    )


async def crash_at(processes: Processes, folder: Path, crate: ObjectId) -> None:
    """Run a worker until it is halfway through the page of this crate, and kill it (SIGKILL)."""
    hang_here = folder / f"hang-{crate}"
    hang_here.touch()
    worker = processes.worker(**FAST_SETTINGS)
    await eventually(hang_here.with_suffix(".reached").exists)
    worker.popen.kill()
    hang_here.unlink()


async def is_done(rig: PatternRig, batch_id: str) -> bool:
    batch = await rig.find_one("batches", _id=batch_id)
    return bool(batch["state"] == BatchState.DONE)


async def test_each_item_is_processed_once_despite_workers_killed_in_a_page(
    rig_without_worker: PatternRig, processes: Processes, tmp_path: Path
) -> None:
    rig = rig_without_worker
    await fill(rig, tmp_path)
    batch = await rig.run_mutation(
        lambda ctx: start_batch(ctx, NewBatch(source="crates", batch_size=4, delay_ms=0))
    )
    for crate in (CRATES[1], CRATES[5]):
        await crash_at(processes, tmp_path, crate)
    processes.worker(**FAST_SETTINGS)
    await eventually(lambda: is_done(rig, batch.id))
    assert {crate["times"] for crate in await rig.all("crates")} == {1}
    assert (await rig.find_one("batches", _id=batch.id))["processed"] == len(CRATES)
