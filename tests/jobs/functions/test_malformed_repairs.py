"""The sweeper: documents that it cannot repair do not prevent other repairs."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.functions.crons import insert_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.ids import new_id
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.records import IntervalSchedule
from tests.jobs.functions.pattern_rig import MINUTE, PatternRig
from tests.jobs.functions.test_static_crons import declared, pending_ticks, sync
from tests.malformed import FAR_FUTURE, malformed_documents, valid_document

PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
KINDS: Final = {
    "crons": "crons",
    "recurring_tasks": "taskConfigs",
    "batches": "batches",
    "requests": "requests",
}
MANY: Final = 250  # more than one sweep reads


def overdue(collection: str, owner: str = "mallory", **fields: Any) -> dict[str, Any]:
    """Return a document whose next job is overdue."""
    times = {"nextRunTime": PAST, "createdAt": PAST, "timeoutAt": PAST}
    jobs = {"processJobId": new_id(), "timeoutJobId": new_id(), "schedulerJobId": new_id()}
    return valid_document(collection, owner) | times | jobs | fields


async def is_repaired(rig: PatternRig, kind: str, document: dict[str, Any]) -> bool:
    """Return whether a document has a next job, or has ended."""
    found = await rig.find_one(KINDS[kind], _id=document["_id"])
    return bool(found["version"] > document["version"])


@pytest.mark.parametrize("kind", KINDS)
async def test_unrepairable_documents_do_not_delay_other_repairs(
    rig_without_worker: PatternRig, kind: str
) -> None:
    broken = [overdue(KINDS[kind], version="old", timeoutAt=FAR_FUTURE) for _ in range(MANY)]
    lost = overdue(KINDS[kind], "alice")
    await rig_without_worker.engine.mongo[KINDS[kind]].insert_many([*broken, lost])
    repair = build_sweeps(rig_without_worker.engine)[kind]
    for _ in range(3):
        await repair()
    assert await is_repaired(rig_without_worker, kind, lost)


@pytest.mark.parametrize("kind", KINDS)
async def test_sweeper_survives_every_kind_of_malformed_document(
    rig_without_worker: PatternRig, kind: str
) -> None:
    lost = overdue(KINDS[kind], "alice")
    await rig_without_worker.engine.mongo[KINDS[kind]].insert_one(lost)
    names = {"crons": "name", "taskConfigs": "taskId"}
    for _, document in malformed_documents(KINDS[kind], "mallory"):
        times: dict[str, Any] = {
            field: PAST for field in ("nextRunTime", "timeoutAt") if field in document
        }
        name = {names[KINDS[kind]]: new_id()} if KINDS[kind] in names else {}
        await rig_without_worker.engine.mongo[KINDS[kind]].insert_one({**times, **document, **name})
    repair = build_sweeps(rig_without_worker.engine)[kind]
    for _ in range(3):
        await repair()
    assert await is_repaired(rig_without_worker, kind, lost)


async def test_running_batches_do_not_prevent_the_repair_of_a_stopped_one(
    rig_without_worker: PatternRig,
) -> None:
    page = valid_document("jobs")
    healthy = [overdue("batches", schedulerJobId=page["_id"]) for _ in range(MANY)]
    lost = overdue("batches", "alice")
    await rig_without_worker.engine.mongo["jobs"].insert_one(page)
    await rig_without_worker.engine.mongo["batches"].insert_many([*healthy, lost])
    repair = build_sweeps(rig_without_worker.engine)["batches"]
    assert [await repair() for _ in range(2)] == [0, 1]


async def test_an_unrepairable_document_is_logged_once_and_skipped(
    rig_without_worker: PatternRig,
) -> None:
    broken = overdue("crons", schedule=None)
    await rig_without_worker.engine.mongo["crons"].insert_one(broken)
    repair = build_sweeps(rig_without_worker.engine)["crons"]
    with capture_logs() as logs:
        assert [await repair() for _ in range(3)] == [0, 0, 0]
    (line,) = logs
    assert (line["event"], line["document_id"]) == ("sweep.not_repaired", broken["_id"])


async def test_a_malformed_static_cron_is_created_again(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared("report"), declared("other"))
    where = {"name": {"$in": ["report", "other"]}}
    await rig_without_worker.engine.mongo["crons"].update_many(
        where, {"$unset": {"schedule": 1, "enabled": 1}}
    )
    await rig_without_worker.engine.mongo["crons"].insert_one({"_id": new_id(), "owner": None})
    await sync(rig_without_worker, declared("report"))
    assert (await rig_without_worker.find_one("crons", name="report"))["enabled"]
    assert await pending_ticks(rig_without_worker) == 2


async def test_an_unrepairable_cron_does_not_stop_another_cron(rig: PatternRig) -> None:
    new = NewCron(name="hourly", args={"name": "x"})
    schedule = IntervalSchedule(ms=MINUTE)
    await rig.engine.mongo["crons"].insert_one(overdue("crons", nextRunTime=FAR_FUTURE))
    await rig.run_mutation(lambda ctx: insert_cron(ctx, new, schedule, {"name": "x"}))
    await rig.advance(MINUTE)
    assert await rig.jobs("tasks.runTask", owner="alice")
