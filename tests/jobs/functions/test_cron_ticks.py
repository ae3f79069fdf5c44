"""`crons.executeCron`: ticks on time, early, late, duplicated or lost."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from structlog.testing import capture_logs

from ostinato.jobs.functions.crons import execute_cron, pause_cron, repair_cron
from ostinato.jobs.records import CatchUpPolicy, CauseKind, JobState, OverlapPolicy
from tests.jobs.functions.test_crons import TICK, pending_ticks, register
from tests.jobs.functions.work import gate
from tests.jobs.functions.world import MINUTE, SECOND, World
from tests.processes import eventually

RUN = "tasks.runTask"


async def due_times(world: World, name: str = RUN) -> list[datetime]:
    return [job.scheduled_time for job in await world.jobs(name)]


async def execute(world: World, cron_id: str) -> None:
    """Run the tick's function manually, in addition to the cron's own tick."""
    await world.schedule_at_once(TICK, {"cronId": cron_id})
    await world.settled()


async def test_a_due_tick_runs_the_function_and_schedules_the_next_tick(world: World) -> None:
    cron = await register(world)
    await world.advance(MINUTE)
    after = await world.one("crons", _id=cron.id)
    [run] = await world.jobs(RUN)
    assert (run.state, run.owner, run.internal) == (JobState.SUCCESS, "alice", False)
    assert (run.cause.kind, run.cause.id) == (CauseKind.CRON, cron.id)
    assert run.args == {"name": "cleanup"}
    assert after["lastRunTime"] >= cron.next_run_time
    assert after["nextRunTime"] == cron.next_run_time + timedelta(minutes=1)
    assert await pending_ticks(world) == 1


async def test_the_next_run_is_computed_from_the_scheduled_time(world: World) -> None:
    cron = await register(world)
    for _ in range(3):
        await world.advance(MINUTE + 5 * SECOND)
    expected = [cron.next_run_time + n * timedelta(minutes=1) for n in range(3)]
    assert await due_times(world) == expected


async def test_a_disabled_cron_does_nothing_when_executed(world: World) -> None:
    cron = await register(world)
    await world.do(lambda ctx: pause_cron(ctx, cron.id))
    before = await world.one("crons", _id=cron.id)
    await execute(world, cron.id)
    assert await world.one("crons", _id=cron.id) == before
    assert await world.jobs(RUN) == []


async def test_a_deleted_cron_does_nothing_when_executed(world: World) -> None:
    await execute(world, "0" * 24)
    [tick] = await world.jobs(TICK)
    assert tick.state is JobState.SUCCESS


async def test_an_early_execution_keeps_the_scheduled_tick(world: World) -> None:
    cron = await register(world)
    await execute(world, cron.id)
    assert await world.jobs(RUN) == []
    assert await pending_ticks(world) == 1


async def test_an_early_execution_schedules_a_missing_tick(world: World) -> None:
    cron = await register(world)
    await world.engine.cancel(str(cron.scheduler_job_id))
    await execute(world, cron.id)
    [tick] = await world.jobs(TICK, state=JobState.PENDING.value)
    assert tick.scheduled_time == cron.next_run_time


async def test_many_executions_of_one_tick_run_the_function_once(world: World) -> None:
    cron = await register(world)
    await world.engine.advance(MINUTE)
    await asyncio.gather(*(world.schedule_at_once(TICK, {"cronId": cron.id}) for _ in range(5)))
    await world.settled()
    assert await due_times(world) == [cron.next_run_time]
    assert await pending_ticks(world) == 1


async def test_a_due_execution_replaces_the_scheduled_tick(world_without_worker: World) -> None:
    cron = await register(world_without_worker)
    await world_without_worker.engine.advance(MINUTE)
    await world_without_worker.do(lambda ctx: execute_cron(ctx, cron.id))
    [tick] = await world_without_worker.jobs(TICK, state=JobState.PENDING.value)
    [before] = await world_without_worker.jobs(TICK, state=JobState.CANCELED.value)
    assert before.id == cron.scheduler_job_id
    assert tick.scheduled_time == cron.next_run_time + timedelta(minutes=1)


async def missed(world: World, policy: CatchUpPolicy) -> tuple[int, int]:
    """Make a minutely cron miss 9 ticks and run the tenth 30 s late; return (runs, skipped)."""
    cron = await register(world, catch_up=policy)
    await world.advance(10 * MINUTE + 30 * SECOND)
    after = await world.one("crons", _id=cron.id)
    assert after["nextRunTime"] == cron.next_run_time + timedelta(minutes=10)
    return len(await world.jobs(RUN)), after["skippedTicks"]


async def test_catch_up_latest_runs_one_missed_tick_and_counts_the_others(world: World) -> None:
    assert await missed(world, CatchUpPolicy.LATEST) == (1, 9)


async def test_catch_up_skip_counts_the_missed_ticks_and_runs_none(world: World) -> None:
    assert await missed(world, CatchUpPolicy.SKIP) == (0, 10)


async def test_catch_up_all_runs_every_missed_tick(world: World) -> None:
    assert await missed(world, CatchUpPolicy.ALL) == (10, 0)


async def overlapping(world: World, policy: OverlapPolicy) -> dict[str, Any]:
    """Advance by three ticks during the first run; return the cron's document."""
    cron = await register(world, function_name="work.waitAtGate", overlap=policy)
    for tick in range(3):
        await world.engine.advance(MINUTE)
        next_run = cron.next_run_time + (tick + 1) * timedelta(minutes=1)
        await eventually(partial(_has_next_run, world, cron.id, next_run))
    return await world.one("crons", _id=cron.id)


async def _has_next_run(world: World, cron_id: str, due: datetime) -> bool:
    return bool((await world.one("crons", _id=cron_id))["nextRunTime"] == due)


async def test_overlap_skip_skips_ticks_while_the_previous_one_runs(world: World) -> None:
    document = await overlapping(world, OverlapPolicy.SKIP)
    assert document["skippedTicks"] == 2
    gate.opened.set()
    await world.advance(MINUTE)
    assert len(await world.jobs("work.waitAtGate")) == 2


async def test_overlap_allow_runs_every_tick(world: World) -> None:
    document = await overlapping(world, OverlapPolicy.ALLOW)
    gate.opened.set()
    assert document["skippedTicks"] == 0
    assert len(await world.jobs("work.waitAtGate")) == 3


async def test_overlap_queue_runs_every_tick_in_sequence(world: World) -> None:
    document = await overlapping(world, OverlapPolicy.QUEUE)
    assert len(document["queuedTicks"]) == 2
    assert len(await world.jobs("work.waitAtGate")) == 1
    gate.opened.set()
    for _ in range(4):
        await world.advance(2 * SECOND)
    runs = await world.jobs("work.waitAtGate")
    started = [run.started_at for run in runs]
    ended = [run.completed_at for run in runs]
    assert len(runs) == 3
    assert all(
        start >= end for start, end in zip(started[1:], ended, strict=False) if start and end
    )


async def test_at_most_100_ticks_are_queued_and_one_job_releases_them(
    world_without_worker: World,
) -> None:
    cron = await register(
        world_without_worker, overlap=OverlapPolicy.QUEUE, catch_up=CatchUpPolicy.ALL
    )
    for ticks in (60, 60):
        await world_without_worker.engine.advance(ticks * MINUTE)
        await world_without_worker.do(lambda ctx: execute_cron(ctx, cron.id))
    after = await world_without_worker.one("crons", _id=cron.id)
    assert (len(after["queuedTicks"]), after["skippedTicks"]) == (100, 19)
    assert (
        len(await world_without_worker.jobs("crons.releaseQueued", state=JobState.PENDING.value))
        == 1
    )


async def test_pausing_drops_queued_ticks_and_counts_them_as_skipped(world: World) -> None:
    document = await overlapping(world, OverlapPolicy.QUEUE)
    paused = await world.do(lambda ctx: pause_cron(ctx, document["_id"]))
    *_, release = await world.jobs("crons.releaseQueued")
    assert release.state is JobState.CANCELED
    gate.opened.set()
    await world.advance(5 * SECOND)
    assert paused.skipped_ticks == 2
    assert len(await world.jobs("work.waitAtGate")) == 1


async def test_releasing_without_queued_ticks_changes_nothing(world: World) -> None:
    cron = await register(world, overlap=OverlapPolicy.QUEUE)
    before = await world.one("crons", _id=cron.id)
    for cron_id in (cron.id, "0" * 24):
        await world.schedule_at_once("crons.releaseQueued", {"cronId": cron_id})
    await world.settled()
    assert await world.one("crons", _id=cron.id) == before


async def test_a_failing_function_does_not_stop_its_cron(world: World) -> None:
    await register(world, function_name="work.breakDown")
    for _ in range(3):
        await world.advance(MINUTE)
    runs = await world.jobs("work.breakDown")
    assert [run.state for run in runs] == [JobState.FAILED] * 3


async def test_an_unregistered_function_logs_a_failure_and_its_cron_continues(world: World) -> None:
    cron = await register(world)
    gone = {"$set": {"functionName": "gone.function"}}
    await world.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    await world.advance(MINUTE)
    failure = await world.one("failures", functionName="gone.function")
    after = await world.one("crons", _id=cron.id)
    assert (failure["owner"], failure["error"]["name"]) == ("alice", "BadRequest")
    assert (after["skippedTicks"], after["enabled"]) == (1, True)
    assert await pending_ticks(world) == 1


async def test_a_cron_whose_function_no_longer_exists_is_logged_once(world: World) -> None:
    cron = await register(world)
    gone = {"$set": {"functionName": "gone.function"}}
    await world.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    with capture_logs() as lines:
        for _ in range(2):
            await world.advance(MINUTE)
    [line] = [line for line in lines if line["event"] == "cron.not_executed"]
    assert line["cron_id"] == cron.id
    assert "gone.function" in line["reason"]
    assert len(await world.all("failures", functionName="gone.function")) == 2


async def test_cron_with_a_lost_tick_is_repaired_once(world_without_worker: World) -> None:
    cron = await register(world_without_worker)
    assert not await world_without_worker.do(lambda ctx: repair_cron(ctx, cron.id))
    await world_without_worker.engine.mongo["jobs"].delete_many({})
    assert await world_without_worker.do(lambda ctx: repair_cron(ctx, cron.id))
    assert not await world_without_worker.do(lambda ctx: repair_cron(ctx, cron.id))
    [tick] = await world_without_worker.jobs(TICK)
    assert tick.scheduled_time == cron.next_run_time


async def test_a_paused_cron_is_not_repaired(world_without_worker: World) -> None:
    cron = await register(world_without_worker)
    await world_without_worker.do(lambda ctx: pause_cron(ctx, cron.id))
    assert not await world_without_worker.do(lambda ctx: repair_cron(ctx, cron.id))


async def test_a_tick_that_failed_finally_is_repeated_within_a_minute(
    world_without_worker: World,
) -> None:
    cron = await register(world_without_worker)
    failed = {"$set": {"state": "failed"}}
    await world_without_worker.engine.mongo["jobs"].update_one(
        {"_id": cron.scheduler_job_id}, failed
    )
    await world_without_worker.engine.advance(2 * MINUTE)
    assert await world_without_worker.do(lambda ctx: repair_cron(ctx, cron.id))
    [tick] = await world_without_worker.jobs(TICK, state=JobState.PENDING.value)
    ahead = tick.scheduled_time - await world_without_worker.engine.now()
    assert timedelta(seconds=50) < ahead <= timedelta(minutes=1)


async def test_sweeper_recovers_a_lost_tick(world: World) -> None:
    cron = await register(world)
    await world.engine.mongo["jobs"].delete_one({"_id": cron.scheduler_job_id})
    await world.engine.advance(2 * MINUTE)
    await eventually(lambda: world.jobs(RUN))
    assert await pending_ticks(world) == 1
