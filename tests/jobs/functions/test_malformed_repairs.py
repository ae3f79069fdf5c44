"""The sweeper repairs what it can, even if there are documents that it cannot repair."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.functions.crons import insert_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.ids import new_id
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.records import IntervalSchedule
from tests.jobs.functions.test_static_crons import declared, pending_ticks, sync
from tests.jobs.functions.world import MINUTE, World
from tests.malformed import FAR, damaged, sound

PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
KINDS: Final = {
    "crons": "crons",
    "recurring_tasks": "taskConfigs",
    "batches": "batches",
    "requests": "requests",
}
CROWD: Final = 250  # more than a sweep looks at


def overdue(collection: str, owner: str = "mallory", **fields: Any) -> dict[str, Any]:
    """Return a document whose next job is overdue."""
    times = {"nextRunTime": PAST, "createdAt": PAST, "timeoutAt": PAST}
    jobs = {"processJobId": new_id(), "timeoutJobId": new_id(), "schedulerJobId": new_id()}
    return sound(collection, owner) | times | jobs | fields


async def carried_on(world: World, kind: str, document: dict[str, Any]) -> bool:
    """Return whether a document has a next job, or has ended."""
    found = await world.one(KINDS[kind], _id=document["_id"])
    return bool(found["version"] > document["version"])


@pytest.mark.parametrize("kind", KINDS)
async def test_unrepairable_documents_do_not_delay_other_repairs(idle: World, kind: str) -> None:
    broken = [overdue(KINDS[kind], version="old", timeoutAt=FAR) for _ in range(CROWD)]
    lost = overdue(KINDS[kind], "alice")
    await idle.engine.mongo[KINDS[kind]].insert_many([*broken, lost])
    repair = build_sweeps(idle.engine)[kind]
    for _ in range(3):
        await repair()
    assert await carried_on(idle, kind, lost)


@pytest.mark.parametrize("kind", KINDS)
async def test_sweeper_survives_every_kind_of_malformed_document(idle: World, kind: str) -> None:
    lost = overdue(KINDS[kind], "alice")
    await idle.engine.mongo[KINDS[kind]].insert_one(lost)
    names = {"crons": "name", "taskConfigs": "taskId"}
    for _, document in damaged(KINDS[kind], "mallory"):
        times: dict[str, Any] = {
            field: PAST for field in ("nextRunTime", "timeoutAt") if field in document
        }
        name = {names[KINDS[kind]]: new_id()} if KINDS[kind] in names else {}
        await idle.engine.mongo[KINDS[kind]].insert_one({**times, **document, **name})
    repair = build_sweeps(idle.engine)[kind]
    for _ in range(3):
        await repair()
    assert await carried_on(idle, kind, lost)


async def test_batches_that_go_on_do_not_hide_one_that_does_not(idle: World) -> None:
    page = sound("jobs")
    healthy = [overdue("batches", schedulerJobId=page["_id"]) for _ in range(CROWD)]
    lost = overdue("batches", "alice")
    await idle.engine.mongo["jobs"].insert_one(page)
    await idle.engine.mongo["batches"].insert_many([*healthy, lost])
    repair = build_sweeps(idle.engine)["batches"]
    assert [await repair() for _ in range(2)] == [0, 1]


async def test_the_log_names_what_cannot_be_repaired_and_it_is_left_alone(idle: World) -> None:
    broken = overdue("crons", schedule=None)
    await idle.engine.mongo["crons"].insert_one(broken)
    repair = build_sweeps(idle.engine)["crons"]
    with capture_logs() as logs:
        assert [await repair() for _ in range(3)] == [0, 0, 0]
    (line,) = logs
    assert (line["event"], line["document_id"]) == ("sweep.not_repaired", broken["_id"])


async def test_a_malformed_cron_of_the_code_is_made_anew(idle: World) -> None:
    await sync(idle, declared("report"), declared("other"))
    where = {"name": {"$in": ["report", "other"]}}
    await idle.engine.mongo["crons"].update_many(where, {"$unset": {"schedule": 1, "enabled": 1}})
    await idle.engine.mongo["crons"].insert_one({"_id": new_id(), "owner": None})
    await sync(idle, declared("report"))
    assert (await idle.one("crons", name="report"))["enabled"]
    assert await pending_ticks(idle) == 2


async def test_a_cron_that_ticks_is_repaired_beside_a_broken_one(world: World) -> None:
    new = NewCron(name="hourly", args={"name": "x"})
    schedule = IntervalSchedule(ms=MINUTE)
    await world.engine.mongo["crons"].insert_one(overdue("crons", nextRunTime=FAR))
    await world.do(lambda ctx: insert_cron(ctx, new, schedule, {"name": "x"}))
    await world.advance(MINUTE)
    assert await world.jobs("tasks.runTask", owner="alice")
