"""Recurring tasks that are changed while they run, and the figures of their runs."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, NotFound, QuotaExceeded, VersionConflict
from ostinato.jobs.functions.task_changes import TaskPatch, update_task
from ostinato.jobs.functions.tasks import (
    EXECUTE_RECURRING_TASK,
    execute_recurring_task,
    start_task,
    stop_task,
)
from ostinato.jobs.records import RecurringTask
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig, open_rig

RUN = "tasks.runTask"


async def start(rig: PatternRig, interval_ms: int = MINUTE) -> RecurringTask:
    return await rig.run_mutation(
        lambda ctx: start_task(
            ctx, task_id="sync", interval_ms=interval_ms, function_name=RUN, args={}
        )
    )


async def update(
    rig: PatternRig, task: RecurringTask, version: int | None = None, **changes: Any
) -> RecurringTask:
    return await rig.run_mutation(
        lambda ctx: update_task(ctx, task.id, TaskPatch(**changes), version)
    )


async def read(rig: PatternRig, task: RecurringTask) -> RecurringTask:
    found = (await rig.engine.reads.find_by_ids(RecurringTask, [task.id], "alice"))[task.id]
    assert isinstance(found, RecurringTask)
    return found


async def test_new_interval_counts_from_the_last_tick(rig: PatternRig) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    assert task.next_run_time is not None
    for interval_ms in (3 * MINUTE, 10 * SECOND):
        changed = await update(rig, task, interval_ms=interval_ms)
        due = task.next_run_time + timedelta(milliseconds=interval_ms)
        assert (changed.interval_ms, changed.next_run_time) == (interval_ms, due)
        (tick,) = await rig.jobs(EXECUTE_RECURRING_TASK, state="pending")
        assert (tick.id, tick.scheduled_time) == (changed.scheduler_job_id, due)
    for _ in range(3):
        await rig.advance(10 * SECOND)
    assert len(await rig.jobs(RUN)) == 4


async def test_interval_shorter_than_the_time_since_the_last_tick_is_due_now(
    rig: PatternRig,
) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    await rig.advance(30 * SECOND)
    await update(rig, task, interval_ms=20 * SECOND)
    await rig.wait_until_settled()
    assert len(await rig.jobs(RUN)) == 2
    await rig.advance(10 * SECOND)
    assert len(await rig.jobs(RUN)) == 3


async def test_task_that_has_not_ticked_keeps_its_first_tick(
    rig_without_worker: PatternRig,
) -> None:
    task = await start(rig_without_worker)
    changed = await update(rig_without_worker, task, interval_ms=3 * MINUTE)
    assert changed.next_run_time == task.next_run_time


async def test_new_arguments_count_from_the_next_tick(rig: PatternRig) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    changed = await update(rig, task, args={"name": "other"})
    assert changed.next_run_time == (await read(rig, task)).next_run_time
    await rig.advance(MINUTE)
    assert [run.args["name"] for run in await rig.jobs(RUN)] == ["sync", "other"]


async def test_equal_values_change_nothing_and_a_stopped_task_stays_stopped(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    task = await start(rig)
    assert await update(rig, task, interval_ms=MINUTE, args={"name": "sync"}) == task
    await rig.run_mutation(lambda ctx: stop_task(ctx, "sync"))
    changed = await update(rig, task, interval_ms=2 * MINUTE)
    assert (changed.enabled, changed.interval_ms, changed.next_run_time) == (
        *(False, 2 * MINUTE, None),
    )


async def test_change_of_another_version_is_a_conflict(rig_without_worker: PatternRig) -> None:
    task = await start(rig_without_worker)
    changed = await update(rig_without_worker, task, task.version, interval_ms=SECOND)
    with pytest.raises(VersionConflict) as raised:
        await update(rig_without_worker, task, task.version, interval_ms=MINUTE)
    assert raised.value.current_version == changed.version


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"interval_ms": 999}, ("intervalMs",)),
        ({"function_name": "no.where"}, ("functionName",)),
        ({"args": {"name": 1, "other": 2}}, ("args", "name")),
        ({"function_name": "work.needsNumber"}, ("args", "number")),
        ({}, ("intervalMs",)),
    ],
)
async def test_invalid_change_is_reported_by_field(
    rig_without_worker: PatternRig, changes: dict[str, Any], path: tuple[str, ...]
) -> None:
    task = await start(rig_without_worker)
    with pytest.raises(BadRequest) as raised:
        await update(rig_without_worker, task, **changes)
    assert raised.value.issues[0].path == path
    assert await read(rig_without_worker, task) == task


async def test_interval_is_limited_by_the_quota_of_ticks(pattern_settings: Settings) -> None:
    settings = pattern_settings.model_copy(update={"quota_ticks_per_minute": 10})
    async with open_rig(settings) as rig:
        task = await start(rig)
        with pytest.raises(QuotaExceeded):
            await update(rig, task, interval_ms=5 * SECOND)
        await update(rig, task, interval_ms=6 * SECOND)


async def test_task_of_another_owner_is_not_found(rig_without_worker: PatternRig) -> None:
    task = await start(rig_without_worker)
    patch = TaskPatch(interval_ms=SECOND)
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: update_task(ctx, task.id, patch), "bob")


async def test_task_has_the_figures_of_its_runs(rig: PatternRig) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    await rig.advance(MINUTE)
    found = await read(rig, task)
    assert (found.run_count, found.skipped_ticks) == (2, 0)
    assert found.last_run_time is not None
    assert found.last_lateness_ms is not None
    await rig.advance(10 * MINUTE + 7 * SECOND)
    later = await read(rig, task)
    assert later.run_count == 3
    assert later.skipped_ticks == 9
    assert later.last_lateness_ms is not None
    assert 7_000 <= later.last_lateness_ms < MINUTE


async def test_a_change_beside_a_tick_loses_and_doubles_no_tick(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    task = await start(rig, SECOND)
    args: dict[str, Any] = {"task_id": "sync", "interval_ms": SECOND, "generation": 1}
    for number in range(20):
        await rig.engine.advance(SECOND)
        await rig.engine.mongo["jobs"].update_many(
            {"functionName": EXECUTE_RECURRING_TASK}, {"$set": {"state": "canceled"}}
        )
        await asyncio.gather(
            rig.run_mutation(lambda ctx: execute_recurring_task(ctx, **args)),
            update(rig, task, interval_ms=SECOND * (1 + number % 2)),
        )
        assert len(await rig.jobs(EXECUTE_RECURRING_TASK, state="pending")) == 1
    found = await read(rig, task)
    assert len(await rig.jobs(RUN)) == found.run_count
