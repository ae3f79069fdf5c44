"""Static crons: the stored crons are updated to the declarations in the code."""

import asyncio
from typing import Any

import pytest

from ostinato.jobs.errors import NotFound
from ostinato.jobs.functions.crons import pause_cron, resume_cron
from ostinato.jobs.functions.static_crons import sync_static_crons
from ostinato.jobs.records import CronSchedule, IntervalSchedule, JobState
from ostinato.jobs.registry import StaticCron
from tests.jobs.functions.world import MINUTE, World

TICK = "crons.executeCron"


def declared(name: str = "report", **fields: Any) -> StaticCron:
    given: dict[str, Any] = {
        "function_name": "tasks.runTask",
        "schedule": IntervalSchedule(ms=MINUTE),
        "args": {"name": name},
        **fields,
    }
    return StaticCron(name=name, **given)


async def sync(world: World, *crons: StaticCron) -> None:
    await world.do(lambda ctx: sync_static_crons(ctx, crons), owner=None)


async def pending_ticks(world: World) -> int:
    return len(await world.jobs(TICK, state=JobState.PENDING.value))


async def test_a_newly_declared_cron_is_added_and_runs(world: World) -> None:
    await sync(world, declared())
    await world.advance(MINUTE)
    [run] = await world.jobs("tasks.runTask")
    assert (run.owner, run.state, run.args) == (None, JobState.SUCCESS, {"name": "report"})


async def test_concurrent_worker_starts_create_one_cron_per_declaration(
    world_without_worker: World,
) -> None:
    await asyncio.gather(
        *(sync(world_without_worker, declared(), declared("other")) for _ in range(5))
    )
    await sync(world_without_worker, declared(), declared("other"))
    assert len(await world_without_worker.all("crons")) == 2
    assert await pending_ticks(world_without_worker) == 2


async def test_a_changed_declaration_reschedules_its_cron(world_without_worker: World) -> None:
    await sync(world_without_worker, declared())
    await sync(world_without_worker, declared(schedule=CronSchedule(cronspec="@daily")))
    [cron] = await world_without_worker.all("crons")
    [tick] = await world_without_worker.jobs(TICK, state=JobState.PENDING.value)
    assert cron["schedule"] == {"kind": "cron", "cronspec": "@daily", "tz": "UTC"}
    assert tick.scheduled_time == cron["nextRunTime"]


async def test_a_cron_is_disabled_while_it_is_not_declared(world_without_worker: World) -> None:
    await sync(world_without_worker, declared())
    await sync(world_without_worker)
    await sync(world_without_worker)
    [gone] = await world_without_worker.all("crons")
    assert (gone["enabled"], await pending_ticks(world_without_worker)) == (False, 0)
    await sync(world_without_worker, declared())
    [back] = await world_without_worker.all("crons")
    assert (back["enabled"], await pending_ticks(world_without_worker)) == (True, 1)


async def test_a_paused_cron_stays_paused(world_without_worker: World) -> None:
    await sync(world_without_worker, declared())
    [cron] = await world_without_worker.all("crons")
    await world_without_worker.do(lambda ctx: pause_cron(ctx, cron["_id"]), owner=None)
    await sync(world_without_worker, declared(args={"name": "other"}))
    [after] = await world_without_worker.all("crons")
    assert (after["enabled"], after["args"], await pending_ticks(world_without_worker)) == (
        False,
        {"name": "other"},
        0,
    )


async def test_an_undeclared_cron_that_was_resumed_is_disabled_again(
    world_without_worker: World,
) -> None:
    await sync(world_without_worker, declared())
    await sync(world_without_worker)
    [cron] = await world_without_worker.all("crons")
    await world_without_worker.do(lambda ctx: resume_cron(ctx, cron["_id"]), owner=None)
    await sync(world_without_worker)
    [after] = await world_without_worker.all("crons")
    assert (after["enabled"], await pending_ticks(world_without_worker)) == (False, 0)


async def test_a_user_cannot_pause_a_static_cron(world_without_worker: World) -> None:
    await sync(world_without_worker, declared())
    [cron] = await world_without_worker.all("crons")
    with pytest.raises(NotFound):
        await world_without_worker.do(lambda ctx: pause_cron(ctx, cron["_id"]))
