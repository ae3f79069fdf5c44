"""`tasks.startRecurringTask`: one pending tick job per task, as long as its document is enabled."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.functions.tasks import EXECUTE_RECURRING_TASK, repair_task, start_task, stop_task
from ostinato.jobs.records import CauseKind, JobState, RecurringTask
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig
from tests.processes import eventually

RUN = "tasks.runTask"


async def start(rig: PatternRig, **fields: Any) -> RecurringTask:
    arguments: dict[str, Any] = {
        "task_id": "sync",
        "interval_ms": MINUTE,
        "function_name": RUN,
        "args": {},
        **fields,
    }
    return await rig.run_mutation(lambda ctx: start_task(ctx, **arguments))


async def stop(rig: PatternRig) -> RecurringTask:
    stopped = await rig.run_mutation(lambda ctx: stop_task(ctx, "sync"))
    assert isinstance(stopped, RecurringTask)
    return stopped


async def run_intervals(rig: PatternRig, count: int) -> None:
    await rig.wait_until_settled()
    for _ in range(count):
        await rig.advance(MINUTE)


async def test_a_started_task_runs_at_once_and_then_at_every_interval(rig: PatternRig) -> None:
    task = await start(rig)
    await run_intervals(rig, 3)
    runs = await rig.jobs(RUN)
    assert len(runs) == 4
    assert {(run.owner, run.cause.kind, run.cause.id) for run in runs} == {
        ("alice", CauseKind.RECURRING, task.id)
    }
    assert runs[0].args == {"name": "sync"}


async def test_the_loop_is_a_separate_internal_job(rig: PatternRig) -> None:
    await start(rig)
    await rig.wait_until_settled()
    assert [(tick.state, tick.internal) for tick in await rig.jobs(EXECUTE_RECURRING_TASK)] == [
        (JobState.SUCCESS, True),
        (JobState.PENDING, True),
    ]
    assert [run.internal for run in await rig.jobs(RUN)] == [False]


async def test_the_loop_does_not_drift(rig: PatternRig) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    for _ in range(3):
        await rig.advance(MINUTE + 7 * SECOND)
    first = task.next_run_time
    assert first is not None
    dues = [tick.scheduled_time - first for tick in await rig.jobs(EXECUTE_RECURRING_TASK)]
    assert dues == [n * timedelta(minutes=1) for n in range(5)]


async def test_a_late_loop_runs_once_and_continues_at_its_interval(rig: PatternRig) -> None:
    await start(rig)
    await rig.wait_until_settled()
    await rig.advance(10 * MINUTE + 1 * SECOND)
    assert len(await rig.jobs(RUN)) == 2
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RUN)) == 3


async def test_a_stopped_task_does_not_run_again(rig: PatternRig) -> None:
    await start(rig)
    await run_intervals(rig, 1)
    stopped = await stop(rig)
    await run_intervals(rig, 3)
    assert (stopped.enabled, stopped.next_run_time) == (False, None)
    assert len(await rig.jobs(RUN)) == 2
    assert (await rig.jobs(EXECUTE_RECURRING_TASK))[-1].state is JobState.CANCELED


async def test_stopping_twice_changes_nothing(rig: PatternRig) -> None:
    await start(rig)
    assert await stop(rig) == await stop(rig)


async def test_starting_twice_creates_one_loop(rig: PatternRig) -> None:
    first = await start(rig)
    await rig.wait_until_settled()
    assert (await start(rig)).generation == first.generation
    await run_intervals(rig, 3)
    assert len(await rig.jobs(RUN)) == 4
    assert len(await rig.jobs(EXECUTE_RECURRING_TASK, state=JobState.PENDING.value)) == 1


async def test_concurrent_starts_create_one_loop(rig: PatternRig) -> None:
    await asyncio.gather(*(start(rig) for _ in range(5)))
    await run_intervals(rig, 2)
    assert len(await rig.jobs(RUN)) == 3


async def test_stopping_and_starting_within_an_interval_creates_one_loop(rig: PatternRig) -> None:
    for _ in range(3):
        await start(rig)
        await rig.wait_until_settled()
        await stop(rig)
    task = await start(rig)
    await rig.wait_until_settled()
    assert task.generation == 4
    before = len(await rig.jobs(RUN))
    await run_intervals(rig, 3)
    assert len(await rig.jobs(RUN)) == before + 3
    assert len(await rig.jobs(EXECUTE_RECURRING_TASK, state=JobState.PENDING.value)) == 1


async def test_starting_with_another_interval_replaces_the_loop(rig: PatternRig) -> None:
    await start(rig)
    await rig.wait_until_settled()
    again = await start(rig, interval_ms=10 * MINUTE)
    await rig.wait_until_settled()
    await run_intervals(rig, 9)
    assert (again.generation, again.interval_ms) == (2, 10 * MINUTE)
    assert len(await rig.jobs(RUN)) == 2


async def test_a_run_of_an_older_generation_does_nothing(rig: PatternRig) -> None:
    task = await start(rig)
    await rig.wait_until_settled()
    await stop(rig)
    await start(rig)
    await rig.wait_until_settled()
    before = len(await rig.jobs(RUN))
    old = {"taskId": "sync", "intervalMs": MINUTE, "generation": task.generation}
    await rig.schedule(EXECUTE_RECURRING_TASK, old)
    await rig.wait_until_settled()
    assert len(await rig.jobs(RUN)) == before == 2


async def test_a_failing_function_does_not_end_the_loop(rig: PatternRig) -> None:
    await start(rig, function_name="work.breakDown")
    await run_intervals(rig, 2)
    states = [run.state for run in await rig.jobs("work.breakDown")]
    assert states == [JobState.FAILED] * 3


async def test_an_unregistered_function_logs_failures_and_does_not_end_the_loop(
    rig: PatternRig,
) -> None:
    await start(rig)
    await rig.wait_until_settled()
    gone = {"$set": {"functionName": "gone.function"}}
    await rig.engine.mongo["taskConfigs"].update_one({"taskId": "sync"}, gone)
    await run_intervals(rig, 2)
    assert len(await rig.all("failures", functionName="gone.function")) == 2


async def test_a_task_of_another_owner_is_not_found(rig_without_worker: PatternRig) -> None:
    await start(rig_without_worker)
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: stop_task(ctx, "sync"), "bob")


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
    rig_without_worker: PatternRig, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await start(rig_without_worker, **fields)
    assert raised.value.issues[0].path[0] == path


async def test_a_loop_with_a_lost_job_is_repaired_once(rig_without_worker: PatternRig) -> None:
    task = await start(rig_without_worker)
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_task(ctx, task.id))
    await rig_without_worker.engine.mongo["jobs"].delete_many({})
    assert await rig_without_worker.run_mutation(lambda ctx: repair_task(ctx, task.id))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_task(ctx, task.id))
    await rig_without_worker.run_mutation(lambda ctx: stop_task(ctx, "sync"))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_task(ctx, task.id))


async def test_sweeper_recovers_a_lost_tick(rig: PatternRig) -> None:
    await start(rig)
    await rig.wait_until_settled()
    await rig.engine.mongo["jobs"].delete_many({})
    await rig.engine.advance(2 * MINUTE)
    await eventually(lambda: rig.jobs(RUN))
