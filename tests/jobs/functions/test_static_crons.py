"""Crons that the code declares: the database follows the code."""

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


async def test_a_cron_that_is_new_in_the_code_is_added_and_runs(world: World) -> None:
    await sync(world, declared())
    await world.advance(MINUTE)
    [run] = await world.jobs("tasks.runTask")
    assert (run.owner, run.state, run.args) == (None, JobState.SUCCESS, {"name": "report"})


async def test_many_workers_that_start_make_one_cron(idle: World) -> None:
    await asyncio.gather(*(sync(idle, declared(), declared("other")) for _ in range(5)))
    await sync(idle, declared(), declared("other"))
    assert len(await idle.all("crons")) == 2
    assert await pending_ticks(idle) == 2


async def test_a_cron_that_changed_in_the_code_is_planned_anew(idle: World) -> None:
    await sync(idle, declared())
    await sync(idle, declared(schedule=CronSchedule(cronspec="@daily")))
    [cron] = await idle.all("crons")
    [tick] = await idle.jobs(TICK, state=JobState.PENDING.value)
    assert cron["schedule"] == {"kind": "cron", "cronspec": "@daily", "tz": "UTC"}
    assert tick.scheduled_time == cron["nextRunTime"]


async def test_a_cron_that_is_gone_from_the_code_is_disabled_and_comes_back(idle: World) -> None:
    await sync(idle, declared())
    await sync(idle)
    await sync(idle)
    [gone] = await idle.all("crons")
    assert (gone["enabled"], await pending_ticks(idle)) == (False, 0)
    await sync(idle, declared())
    [back] = await idle.all("crons")
    assert (back["enabled"], await pending_ticks(idle)) == (True, 1)


async def test_a_cron_that_was_paused_stays_paused(idle: World) -> None:
    await sync(idle, declared())
    [cron] = await idle.all("crons")
    await idle.do(lambda ctx: pause_cron(ctx, cron["_id"]), owner=None)
    await sync(idle, declared(args={"name": "other"}))
    [after] = await idle.all("crons")
    assert (after["enabled"], after["args"], await pending_ticks(idle)) == (
        False,
        {"name": "other"},
        0,
    )


async def test_a_cron_that_is_gone_from_the_code_and_resumed_is_disabled_again(idle: World) -> None:
    await sync(idle, declared())
    await sync(idle)
    [cron] = await idle.all("crons")
    await idle.do(lambda ctx: resume_cron(ctx, cron["_id"]), owner=None)
    await sync(idle)
    [after] = await idle.all("crons")
    assert (after["enabled"], await pending_ticks(idle)) == (False, 0)


async def test_a_user_cannot_pause_a_cron_of_the_system(idle: World) -> None:
    await sync(idle, declared())
    [cron] = await idle.all("crons")
    with pytest.raises(NotFound):
        await idle.do(lambda ctx: pause_cron(ctx, cron["_id"]))
