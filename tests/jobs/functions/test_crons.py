"""Runtime crons: registering, pausing, resuming and deleting them."""

import asyncio
from datetime import UTC, timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, Conflict, NotFound, OstinatoError, PreconditionFailed
from ostinato.jobs.functions.crons import delete_cron, pause_cron, register_cron, resume_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.records import Cron, CronSchedule, IntervalSchedule, JobState
from tests.jobs.functions.world import MINUTE, SECOND, World

TICK = "crons.executeCron"


async def register(world: World, owner: str = "alice", **fields: Any) -> Cron:
    kind = {} if "cronspec" in fields else {"interval_ms": MINUTE}
    new = NewCron(**{"name": "cleanup", "args": {}, **kind, **fields})
    return await world.do(lambda ctx: register_cron(ctx, new), owner)


async def pending_ticks(world: World) -> int:
    return len(await world.jobs(TICK, state=JobState.PENDING.value))


async def test_registering_plans_the_first_tick_an_interval_from_now(idle: World) -> None:
    before = await idle.engine.now()
    cron = await register(idle, interval_ms=MINUTE)
    assert cron.schedule == IntervalSchedule(ms=MINUTE)
    assert timedelta(0) <= cron.next_run_time - before - timedelta(minutes=1) < timedelta(seconds=5)
    [tick] = await idle.jobs(TICK)
    assert (tick.id, tick.scheduled_time) == (cron.scheduler_job_id, cron.next_run_time)
    assert tick.internal


async def test_registering_a_cronspec_plans_the_next_time_that_it_names(idle: World) -> None:
    cron = await register(idle, cronspec="30 4 * * *", tz="Asia/Tokyo")
    assert cron.schedule == CronSchedule(cronspec="30 4 * * *", tz="Asia/Tokyo")
    assert (cron.next_run_time.hour, cron.next_run_time.minute) == (19, 30)


async def test_a_cron_is_stored_with_the_documented_fields(idle: World) -> None:
    cron = await register(idle, interval_ms=MINUTE)
    document = await idle.one("crons", _id=cron.id)
    assert document["schedule"] == {"kind": "interval", "ms": MINUTE}
    assert {"name", "functionName", "args", "nextRunTime", "lastRunTime", "enabled"} <= set(
        document
    )
    indexes = await idle.engine.mongo["crons"].index_information()
    assert indexes["enabled_nextRunTime"]["key"] == [("enabled", 1), ("nextRunTime", 1)]


async def test_the_default_function_gets_the_name_of_the_cron(idle: World) -> None:
    cron = await register(idle, name="nightly")
    assert (cron.function_name, cron.args) == ("tasks.runTask", {"name": "nightly"})


async def test_a_taken_name_is_a_conflict(idle: World) -> None:
    await register(idle)
    with pytest.raises(Conflict, match="'cleanup'"):
        await register(idle)
    assert await pending_ticks(idle) == 1


async def test_two_owners_may_use_the_same_name(idle: World) -> None:
    await register(idle)
    assert (await register(idle, "bob")).owner == "bob"


async def test_of_two_registrations_at_once_one_is_a_conflict(idle: World) -> None:
    tries = [register(idle) for _ in range(4)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(one, Cron) for one in found].count(True) == 1
    assert sum(isinstance(one, Conflict) for one in found) == 3
    assert await pending_ticks(idle) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"interval_ms": 999}, "intervalMs"),
        ({"cronspec": "61 * * * *"}, "cronspec"),
        ({"cronspec": "0 0 30 2 *"}, "cronspec"),
        ({"cronspec": "@daily", "tz": "Mars/Olympus"}, "tz"),
        ({"function_name": "no.such"}, "functionName"),
        ({"function_name": "work.needsNumber", "args": {"number": "x"}}, "args"),
        ({"name": ""}, "name"),
        ({"jitter_ms": -1}, "jitterMs"),
    ],
)
async def test_a_wrong_field_is_named(idle: World, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as raised:
        await register(idle, **fields)
    assert [issue.path[0] for issue in raised.value.issues] == [path]
    assert await idle.all("crons") == []


async def test_neither_schedule_is_refused_with_the_documented_message(idle: World) -> None:
    with pytest.raises(BadRequest, match=r"^Either intervalMs or cronspec required$"):
        await register(idle, interval_ms=None)


async def test_both_schedules_are_refused(idle: World) -> None:
    with pytest.raises(BadRequest, match="mutually exclusive"):
        await register(idle, interval_ms=MINUTE, cronspec="@daily")


async def test_all_wrong_fields_are_named_at_once(idle: World) -> None:
    with pytest.raises(BadRequest) as raised:
        await register(idle, interval_ms=1, name="", tz="Nowhere")
    paths = {issue.path[0] for issue in raised.value.issues}
    assert paths == {"intervalMs", "name", "tz"}


async def test_pausing_cancels_the_pending_tick_and_keeps_the_next_run_time(idle: World) -> None:
    cron = await register(idle)
    paused = await idle.do(lambda ctx: pause_cron(ctx, cron.id))
    assert (paused.enabled, paused.next_run_time) == (False, cron.next_run_time)
    assert paused.version == cron.version + 1
    [tick] = await idle.jobs(TICK)
    assert tick.state is JobState.CANCELED


async def test_pausing_twice_changes_nothing(idle: World) -> None:
    cron = await register(idle)
    paused = await idle.do(lambda ctx: pause_cron(ctx, cron.id))
    assert await idle.do(lambda ctx: pause_cron(ctx, cron.id)) == paused


async def test_a_paused_cron_does_not_run(world: World) -> None:
    cron = await register(world)
    await world.do(lambda ctx: pause_cron(ctx, cron.id))
    await world.advance(10 * MINUTE)
    assert await world.jobs("tasks.runTask") == []


async def test_resuming_computes_the_next_run_from_now(idle: World) -> None:
    cron = await register(idle)
    await idle.do(lambda ctx: pause_cron(ctx, cron.id))
    await idle.engine.advance(10 * MINUTE)
    resumed = await idle.do(lambda ctx: resume_cron(ctx, cron.id))
    ahead = resumed.next_run_time - await idle.engine.now()
    assert resumed.enabled
    assert timedelta(seconds=50) < ahead <= timedelta(minutes=1)
    assert await pending_ticks(idle) == 1


async def test_resuming_a_running_cron_changes_nothing(idle: World) -> None:
    cron = await register(idle)
    assert await idle.do(lambda ctx: resume_cron(ctx, cron.id)) == cron


async def test_pausing_and_resuming_within_an_interval_leaves_one_tick(world: World) -> None:
    cron = await register(world)
    for _ in range(3):
        await world.do(lambda ctx: pause_cron(ctx, cron.id))
        await world.do(lambda ctx: resume_cron(ctx, cron.id))
    await world.advance(MINUTE)
    assert len(await world.jobs("tasks.runTask")) == 1
    assert await pending_ticks(world) == 1


async def test_deleting_cancels_the_pending_tick_and_leaves_history(world: World) -> None:
    cron = await register(world)
    await world.advance(MINUTE)
    deleted = await world.do(lambda ctx: delete_cron(ctx, cron.id))
    await world.advance(10 * MINUTE)
    assert deleted.id == cron.id
    assert await world.all("crons") == []
    assert len(await world.jobs("tasks.runTask")) == 1
    assert [tick.state for tick in await world.jobs(TICK)] == [JobState.SUCCESS, JobState.CANCELED]


async def test_a_deleted_name_can_be_used_again(idle: World) -> None:
    cron = await register(idle)
    await idle.do(lambda ctx: delete_cron(ctx, cron.id))
    assert (await register(idle)).id != cron.id


@pytest.mark.parametrize("verb", [pause_cron, resume_cron, delete_cron])
async def test_somebody_elses_cron_is_not_found(idle: World, verb: Any) -> None:
    cron = await register(idle)
    with pytest.raises(NotFound):
        await idle.do(lambda ctx: verb(ctx, cron.id), "bob")
    with pytest.raises(NotFound):
        await idle.do(lambda ctx: verb(ctx, "0" * 24))


async def test_a_cron_starts_at_its_start(idle: World) -> None:
    start = await idle.engine.now() + timedelta(days=2)
    assert (await register(idle, start_at=start)).next_run_time == start


async def test_a_cron_is_disabled_at_its_end(world: World) -> None:
    end = await world.engine.now() + timedelta(minutes=2, seconds=30)
    cron = await register(world, end_at=end)
    for _ in range(4):
        await world.advance(MINUTE)
    document = await world.one("crons", _id=cron.id)
    assert len(await world.jobs("tasks.runTask")) == 2
    assert (document["enabled"], document["schedulerJobId"]) == (False, None)
    assert await pending_ticks(world) == 0


async def test_a_cron_that_would_never_run_before_its_end_is_refused(idle: World) -> None:
    now = await idle.engine.now()
    with pytest.raises(PreconditionFailed, match="no run before its end"):
        await register(idle, end_at=now + timedelta(seconds=10))
    with pytest.raises(OstinatoError, match="endAt must be later than startAt"):
        await register(idle, start_at=now + timedelta(days=1), end_at=now)


async def test_a_date_decades_away_is_reached_in_hops(idle: World) -> None:
    cron = await register(idle, cronspec="0 0 29 2 1#5")
    [hop] = await idle.jobs(TICK)
    assert cron.next_run_time.astimezone(UTC).strftime("%m-%d %a") == "02-29 Mon"
    assert hop.scheduled_time < cron.next_run_time
    assert hop.scheduled_time - await idle.engine.now() > timedelta(days=3 * 365)


async def test_jitter_moves_the_execution_and_not_the_tick(world: World) -> None:
    cron = await register(world, jitter_ms=20 * SECOND)
    await world.advance(MINUTE)
    [run] = await world.jobs("tasks.runTask")
    [_, tick] = await world.jobs(TICK)
    late = run.scheduled_time - cron.next_run_time
    assert timedelta(0) <= late <= timedelta(seconds=20)
    assert tick.scheduled_time == cron.next_run_time + timedelta(minutes=1)
