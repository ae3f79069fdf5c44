"""`tasks.startRecurringTask`: one loop per task, as long as its document is enabled."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.functions.tasks import LOOP, repair_task, start_task, stop_task
from ostinato.jobs.records import CauseKind, JobState, RecurringTask
from tests.jobs.functions.world import MINUTE, SECOND, World
from tests.processes import eventually

RUN = "tasks.runTask"


async def start(world: World, **fields: Any) -> RecurringTask:
    given: dict[str, Any] = {
        "task_id": "sync",
        "interval_ms": MINUTE,
        "function_name": RUN,
        "args": {},
        **fields,
    }
    return await world.do(lambda ctx: start_task(ctx, **given))


async def stop(world: World) -> RecurringTask:
    stopped = await world.do(lambda ctx: stop_task(ctx, "sync"))
    assert isinstance(stopped, RecurringTask)
    return stopped


async def run_intervals(world: World, count: int) -> None:
    await world.settled()
    for _ in range(count):
        await world.advance(MINUTE)


async def test_a_started_task_runs_at_once_and_then_at_every_interval(world: World) -> None:
    task = await start(world)
    await run_intervals(world, 3)
    runs = await world.jobs(RUN)
    assert len(runs) == 4
    assert {(run.owner, run.cause.kind, run.cause.id) for run in runs} == {
        ("alice", CauseKind.RECURRING, task.id)
    }
    assert runs[0].args == {"name": "sync"}


async def test_the_loop_is_a_separate_internal_job(world: World) -> None:
    await start(world)
    await world.settled()
    assert [(loop.state, loop.internal) for loop in await world.jobs(LOOP)] == [
        (JobState.SUCCESS, True),
        (JobState.PENDING, True),
    ]
    assert [run.internal for run in await world.jobs(RUN)] == [False]


async def test_the_loop_does_not_drift(world: World) -> None:
    task = await start(world)
    await world.settled()
    for _ in range(3):
        await world.advance(MINUTE + 7 * SECOND)
    first = task.next_run_time
    assert first is not None
    dues = [loop.scheduled_time - first for loop in await world.jobs(LOOP)]
    assert dues == [n * timedelta(minutes=1) for n in range(5)]


async def test_a_late_loop_runs_once_and_continues_at_its_interval(world: World) -> None:
    await start(world)
    await world.settled()
    await world.advance(10 * MINUTE + 1 * SECOND)
    assert len(await world.jobs(RUN)) == 2
    await world.advance(MINUTE)
    assert len(await world.jobs(RUN)) == 3


async def test_a_stopped_task_does_not_run_again(world: World) -> None:
    await start(world)
    await run_intervals(world, 1)
    stopped = await stop(world)
    await run_intervals(world, 3)
    assert (stopped.enabled, stopped.next_run_time) == (False, None)
    assert len(await world.jobs(RUN)) == 2
    assert (await world.jobs(LOOP))[-1].state is JobState.CANCELED


async def test_stopping_twice_changes_nothing(world: World) -> None:
    await start(world)
    assert await stop(world) == await stop(world)


async def test_starting_twice_creates_one_loop(world: World) -> None:
    first = await start(world)
    await world.settled()
    assert (await start(world)).generation == first.generation
    await run_intervals(world, 3)
    assert len(await world.jobs(RUN)) == 4
    assert len(await world.jobs(LOOP, state=JobState.PENDING.value)) == 1


async def test_concurrent_starts_create_one_loop(world: World) -> None:
    await asyncio.gather(*(start(world) for _ in range(5)))
    await run_intervals(world, 2)
    assert len(await world.jobs(RUN)) == 3


async def test_stopping_and_starting_within_an_interval_creates_one_loop(world: World) -> None:
    for _ in range(3):
        await start(world)
        await world.settled()
        await stop(world)
    task = await start(world)
    await world.settled()
    assert task.generation == 4
    before = len(await world.jobs(RUN))
    await run_intervals(world, 3)
    assert len(await world.jobs(RUN)) == before + 3
    assert len(await world.jobs(LOOP, state=JobState.PENDING.value)) == 1


async def test_starting_with_another_interval_replaces_the_loop(world: World) -> None:
    await start(world)
    await world.settled()
    again = await start(world, interval_ms=10 * MINUTE)
    await world.settled()
    await run_intervals(world, 9)
    assert (again.generation, again.interval_ms) == (2, 10 * MINUTE)
    assert len(await world.jobs(RUN)) == 2


async def test_a_run_of_an_older_generation_does_nothing(world: World) -> None:
    task = await start(world)
    await world.settled()
    await stop(world)
    await start(world)
    await world.settled()
    before = len(await world.jobs(RUN))
    old = {"taskId": "sync", "intervalMs": MINUTE, "generation": task.generation}
    await world.schedule(LOOP, old)
    await world.settled()
    assert len(await world.jobs(RUN)) == before == 2


async def test_a_failing_function_does_not_end_the_loop(world: World) -> None:
    await start(world, function_name="work.breakDown")
    await run_intervals(world, 2)
    states = [run.state for run in await world.jobs("work.breakDown")]
    assert states == [JobState.FAILED] * 3


async def test_an_unregistered_function_logs_failures_and_does_not_end_the_loop(
    world: World,
) -> None:
    await start(world)
    await world.settled()
    gone = {"$set": {"functionName": "gone.function"}}
    await world.engine.mongo["taskConfigs"].update_one({"taskId": "sync"}, gone)
    await run_intervals(world, 2)
    assert len(await world.all("failures", functionName="gone.function")) == 2


async def test_a_task_of_another_owner_is_not_found(world_without_worker: World) -> None:
    await start(world_without_worker)
    with pytest.raises(NotFound):
        await world_without_worker.do(lambda ctx: stop_task(ctx, "sync"), "bob")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"interval_ms": 999}, "intervalMs"),
        ({"task_id": ""}, "taskId"),
        ({"function_name": "no.such"}, "functionName"),
        ({"function_name": "work.needsNumber"}, "args"),
    ],
)
async def test_an_invalid_field_is_reported_by_name(
    world_without_worker: World, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await start(world_without_worker, **fields)
    assert raised.value.issues[0].path[0] == path


async def test_a_loop_with_a_lost_job_is_repaired_once(world_without_worker: World) -> None:
    task = await start(world_without_worker)
    assert not await world_without_worker.do(lambda ctx: repair_task(ctx, task.id))
    await world_without_worker.engine.mongo["jobs"].delete_many({})
    assert await world_without_worker.do(lambda ctx: repair_task(ctx, task.id))
    assert not await world_without_worker.do(lambda ctx: repair_task(ctx, task.id))
    await world_without_worker.do(lambda ctx: stop_task(ctx, "sync"))
    assert not await world_without_worker.do(lambda ctx: repair_task(ctx, task.id))


async def test_sweeper_recovers_a_lost_iteration(world: World) -> None:
    await start(world)
    await world.settled()
    await world.engine.mongo["jobs"].delete_many({})
    await world.engine.advance(2 * MINUTE)
    await eventually(lambda: world.jobs(RUN))
