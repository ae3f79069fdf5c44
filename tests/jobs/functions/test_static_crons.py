"""Static crons: the stored crons are updated to the declarations in the code."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.declarations import StaticCron
from ostinato.jobs.documents import cron_from
from ostinato.jobs.errors import NotFound, PreconditionFailed
from ostinato.jobs.functions.cron_changes import skip_next_run, update_cron
from ostinato.jobs.functions.crons import pause_cron, register_cron, resume_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.functions.static_crons import sync_static_crons
from ostinato.jobs.records import CronSchedule, IntervalSchedule, JobState
from ostinato.jobs.time_rules import Exclusions, FoldPolicy, GapPolicy
from tests.jobs.functions.pattern_rig import MINUTE, PatternRig

TICK = "crons.executeCron"


def declared(name: str = "report", **fields: Any) -> StaticCron:
    fields_: dict[str, Any] = {
        "function_name": "tasks.runTask",
        "schedule": IntervalSchedule(ms=MINUTE),
        "args": {"name": name},
        **fields,
    }
    return StaticCron(name=name, **fields_)


async def sync(rig: PatternRig, *crons: StaticCron) -> None:
    await rig.run_mutation(lambda ctx: sync_static_crons(ctx, crons), owner=None)


async def pending_ticks(rig: PatternRig) -> int:
    return len(await rig.jobs(TICK, state=JobState.PENDING.value))


async def test_a_newly_declared_cron_is_added_and_runs(rig: PatternRig) -> None:
    await sync(rig, declared())
    await rig.advance(MINUTE)
    [run] = await rig.jobs("tasks.runTask")
    assert (run.owner, run.state, run.args) == (None, JobState.SUCCESS, {"name": "report"})


async def test_concurrent_worker_starts_create_one_cron_per_declaration(
    rig_without_worker: PatternRig,
) -> None:
    await asyncio.gather(
        *(sync(rig_without_worker, declared(), declared("other")) for _ in range(5))
    )
    await sync(rig_without_worker, declared(), declared("other"))
    assert len(await rig_without_worker.all("crons")) == 2
    assert await pending_ticks(rig_without_worker) == 2


async def test_a_changed_declaration_reschedules_its_cron(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared())
    await sync(rig_without_worker, declared(schedule=CronSchedule(cronspec="@daily")))
    [cron] = await rig_without_worker.all("crons")
    [tick] = await rig_without_worker.jobs(TICK, state=JobState.PENDING.value)
    assert cron["schedule"] == {"kind": "cron", "cronspec": "@daily", "tz": "UTC"}
    assert tick.scheduled_time == cron["nextRunTime"]


async def test_skipped_run_of_a_declared_cron_stays_skipped_when_its_declaration_changes(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    await sync(rig, declared(schedule=CronSchedule(cronspec="@daily")))
    [cron] = await rig.all("crons")
    await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron["_id"]), owner=None)
    await sync(rig, declared(schedule=CronSchedule(cronspec="@daily"), tags=("a",)))
    [changed] = await rig.all("crons")
    assert changed["nextRunTime"] == cron["nextRunTime"] + timedelta(days=1)


async def test_declared_exclusions_and_policies_are_stored_and_changed(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    daily = CronSchedule(cronspec="@daily", on_gap=GapPolicy.SKIP, on_fold=FoldPolicy.BOTH)
    await sync(rig, declared(schedule=daily, exclusions=Exclusions(calendar="holidays")))
    [cron] = await rig.all("crons")
    assert cron_from(cron).schedule == daily
    assert cron_from(cron).exclusions == Exclusions(calendar="holidays")
    await rig.engine.mongo["crons"].update_one({}, {"$unset": {"exclusions": 1}})  # older
    await sync(rig, declared(schedule=daily))
    assert [one["version"] for one in await rig.all("crons")] == [cron["version"]]


async def test_a_cron_is_disabled_while_it_is_not_declared(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared())
    await sync(rig_without_worker)
    await sync(rig_without_worker)
    [gone] = await rig_without_worker.all("crons")
    assert (gone["enabled"], await pending_ticks(rig_without_worker)) == (False, 0)
    await sync(rig_without_worker, declared())
    [back] = await rig_without_worker.all("crons")
    assert (back["enabled"], await pending_ticks(rig_without_worker)) == (True, 1)


async def test_a_paused_cron_stays_paused(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared())
    [cron] = await rig_without_worker.all("crons")
    await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron["_id"]), owner=None)
    await sync(rig_without_worker, declared(args={"name": "other"}))
    [after] = await rig_without_worker.all("crons")
    assert (after["enabled"], after["args"], await pending_ticks(rig_without_worker)) == (
        False,
        {"name": "other"},
        0,
    )


async def test_an_undeclared_cron_that_was_resumed_is_disabled_again(
    rig_without_worker: PatternRig,
) -> None:
    await sync(rig_without_worker, declared())
    await sync(rig_without_worker)
    [cron] = await rig_without_worker.all("crons")
    await rig_without_worker.run_mutation(lambda ctx: resume_cron(ctx, cron["_id"]), owner=None)
    await sync(rig_without_worker)
    [after] = await rig_without_worker.all("crons")
    assert (after["enabled"], await pending_ticks(rig_without_worker)) == (False, 0)


async def test_a_user_cannot_pause_a_static_cron(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared())
    [cron] = await rig_without_worker.all("crons")
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron["_id"]))


async def test_a_declared_cron_is_not_edited(rig_without_worker: PatternRig) -> None:
    await sync(rig_without_worker, declared())
    [cron] = await rig_without_worker.all("crons")
    with pytest.raises(PreconditionFailed, match="'report' is declared in code with @cron"):
        await rig_without_worker.run_mutation(
            lambda ctx: update_cron(ctx, cron["_id"], {"name": "x"}), None
        )


async def test_a_cron_that_the_application_registers_for_the_system_is_left_alone(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    new = NewCron(name="own", interval_ms=MINUTE, args={})
    own = await rig.run_mutation(lambda ctx: register_cron(ctx, new), None)
    await sync(rig, declared())
    await sync(rig)
    enabled = {cron["name"]: cron["enabled"] for cron in await rig.all("crons")}
    assert enabled == {"own": True, "report": False}
    await rig.run_mutation(lambda ctx: update_cron(ctx, own.id, {"name": "x"}), None)
    await sync(rig, declared("x"))
    taken_over = await rig.find_one("crons", _id=own.id)
    assert (taken_over["managedBy"], taken_over["enabled"]) == ("@cron", True)


async def test_a_declared_cron_of_an_older_version_keeps_its_next_run(
    rig_without_worker: PatternRig,
) -> None:
    await sync(rig_without_worker, declared())
    crons = rig_without_worker.engine.mongo["crons"]
    before = await crons.find_one_and_update({}, {"$unset": {"managedBy": 1}})
    await rig_without_worker.engine.advance(1_000)
    await sync(rig_without_worker, declared())
    after = await rig_without_worker.find_one("crons")
    assert (after["managedBy"], after["nextRunTime"]) == ("@cron", before["nextRunTime"])
