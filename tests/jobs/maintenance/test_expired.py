"""The sweeper deletes what has ended when its retention is over, and nothing else."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from ostinato.jobs.functions.tasks import start_task, stop_task
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.records import RecurringTask
from tests.api.documents import Documents
from tests.engine.rig import Rig
from tests.profiling import profiled

DAY_MS: Final = 86_400_000
ENDED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "batches": ("completedAt", {"state": "done"}),
    "requests": ("completedAt", {"state": "timeout"}),
    "failures": ("resolvedAt", {}),
    "items": ("processedAt", {"processed": True}),
    "taskConfigs": ("stoppedAt", {"enabled": False}),
}
OPEN: Final[dict[str, dict[str, Any]]] = {
    "batches": {"state": "running"},
    "requests": {"state": "pending", "completedAt": None},
    "failures": {},
    "items": {"processed": False},
    "taskConfigs": {"enabled": True, "stoppedAt": None},
}


async def sweep(rig: Rig) -> None:
    await build_sweeps(rig.engine)["expired"]()


async def insert(rig: Rig, collection: str, days_ago: int) -> str:
    """Insert a document that ended some days ago, and return its id."""
    field, fields = ENDED[collection]
    ended_at = await rig.engine.now() - timedelta(days=days_ago)
    document = {"_id": f"{collection}-{days_ago}", "taskId": f"t{days_ago}", "owner": "ann"}
    await rig.engine.mongo[collection].insert_one({**document, **fields, field: ended_at})
    return document["_id"]


@pytest.mark.parametrize("collection", ENDED)
async def test_what_ended_is_deleted_after_its_retention(
    rig_without_worker: Rig, collection: str
) -> None:
    rig = rig_without_worker
    newer, _ = await insert(rig, collection, 6), await insert(rig, collection, 8)
    await rig.engine.mongo[collection].insert_one({"_id": "z", **OPEN[collection]})
    await sweep(rig)
    assert [each["_id"] for each in await rig.all(collection)] == [newer, "z"]
    await rig.engine.advance(2 * DAY_MS)
    await sweep(rig)
    assert [each["_id"] for each in await rig.all(collection)] == ["z"]


@pytest.mark.parametrize("collection", ENDED)
async def test_sweep_reads_only_what_it_deletes(rig_without_worker: Rig, collection: str) -> None:
    rig = rig_without_worker
    for days in (6, 5, 8):
        await insert(rig, collection, days)
    async with profiled(rig.engine.mongo, collection) as reads:
        await sweep(rig)
    assert [read["docsExamined"] for read in reads if read["op"] == "query"] == [1]


async def test_stopped_task_is_deleted_unless_it_is_started_again(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    for task_id in ("stopped", "restarted"):
        await start(rig, task_id)
        await rig.engine.transact("alice", partial(stop_task, task_id=task_id))
    await start(rig, "restarted")
    await rig.engine.advance(8 * DAY_MS)
    await sweep(rig)
    assert [each["taskId"] for each in await rig.all("taskConfigs")] == ["restarted"]


async def start(rig: Rig, task_id: str) -> RecurringTask:
    return await rig.engine.transact(
        "alice",
        lambda ctx: start_task(
            ctx, task_id=task_id, interval_ms=60_000, function_name="functions.echo",
            args={"value": 1},
        ),
    )  # fmt: skip


async def test_malformed_documents_are_kept(rig_without_worker: Rig) -> None:
    documents = Documents(rig_without_worker.engine.mongo)
    await documents.batch(state="done", completedAt="yesterday")
    await documents.request(state=7, completedAt=await rig_without_worker.engine.now())
    await rig_without_worker.engine.advance(30 * DAY_MS)
    await sweep(rig_without_worker)
    assert len(await rig_without_worker.all("batches")) == 1
    assert len(await rig_without_worker.all("requests")) == 1
