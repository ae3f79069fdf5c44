"""Runtime crons: registering, pausing, resuming and deleting them."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs import due_ticks
from ostinato.jobs.errors import BadRequest, Conflict, NotFound, OstinatoError, PreconditionFailed
from ostinato.jobs.functions.crons import delete_cron, pause_cron, register_cron, resume_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.records import Cron, CronSchedule, IntervalSchedule, JobState
from ostinato.jobs.schedules import first_run
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig

TICK = "crons.executeCron"


async def register(rig: PatternRig, owner: str = "alice", **fields: Any) -> Cron:
    default_schedule = {} if "cronspec" in fields else {"interval_ms": MINUTE}
    new = NewCron(**{"name": "cleanup", "args": {}, **default_schedule, **fields})
    return await rig.run_mutation(lambda ctx: register_cron(ctx, new), owner)


async def pending_ticks(rig: PatternRig) -> int:
    return len(await rig.jobs(TICK, state=JobState.PENDING.value))


async def test_registering_schedules_the_first_tick_one_interval_from_now(
    rig_without_worker: PatternRig,
) -> None:
    before = await rig_without_worker.engine.now()
    cron = await register(rig_without_worker, interval_ms=MINUTE)
    assert cron.schedule == IntervalSchedule(ms=MINUTE)
    assert (
        timedelta(0) <= cron.next_run_time - before - timedelta(minutes=1) < timedelta(seconds=30)
    )
    [tick] = await rig_without_worker.jobs(TICK)
    assert (tick.id, tick.scheduled_time) == (cron.scheduler_job_id, cron.next_run_time)
    assert tick.internal


async def test_registering_a_cronspec_schedules_its_next_matching_time(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker, cronspec="30 4 * * *", tz="Asia/Tokyo")
    assert cron.schedule == CronSchedule(cronspec="30 4 * * *", tz="Asia/Tokyo")
    assert (cron.next_run_time.hour, cron.next_run_time.minute) == (19, 30)


async def test_first_tick_of_a_cron_is_computed_beside_the_event_loop(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def record_thread(*args: Any) -> datetime:
        threads.append(threading.current_thread().name)
        return first_run(*args)

    monkeypatch.setattr(due_ticks, "first_run", record_thread)
    cron = await register(rig_without_worker, cronspec="0 0 */28 2 1#5")
    await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig_without_worker.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert [name.rpartition("_")[0] for name in threads] == ["cpu", "cpu"]


async def test_a_cron_is_stored_with_the_documented_fields(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker, interval_ms=MINUTE)
    document = await rig_without_worker.find_one("crons", _id=cron.id)
    assert document["schedule"] == {"kind": "interval", "ms": MINUTE}
    assert {"name", "functionName", "args", "nextRunTime", "lastRunTime", "enabled"} <= set(
        document
    )
    indexes = await rig_without_worker.engine.mongo["crons"].index_information()
    assert indexes["enabled_nextRunTime"]["key"] == [("enabled", 1), ("nextRunTime", 1)]


async def test_the_default_function_gets_the_name_of_the_cron(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker, name="nightly")
    assert (cron.function_name, cron.args) == ("tasks.runTask", {"name": "nightly"})


async def test_a_taken_name_is_a_conflict(rig_without_worker: PatternRig) -> None:
    await register(rig_without_worker)
    with pytest.raises(Conflict, match="'cleanup'"):
        await register(rig_without_worker)
    assert await pending_ticks(rig_without_worker) == 1


async def test_two_owners_may_use_the_same_name(rig_without_worker: PatternRig) -> None:
    await register(rig_without_worker)
    assert (await register(rig_without_worker, "bob")).owner == "bob"


async def test_concurrent_registrations_of_one_name_create_one_cron(
    rig_without_worker: PatternRig,
) -> None:
    registrations = [register(rig_without_worker) for _ in range(4)]
    found = await asyncio.gather(*registrations, return_exceptions=True)
    assert [isinstance(result, Cron) for result in found].count(True) == 1
    assert sum(isinstance(result, Conflict) for result in found) == 3
    assert await pending_ticks(rig_without_worker) == 1


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
async def test_an_invalid_field_is_reported_by_name(
    rig_without_worker: PatternRig, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await register(rig_without_worker, **fields)
    assert [issue.path[0] for issue in raised.value.issues] == [path]
    assert await rig_without_worker.all("crons") == []


async def test_missing_schedule_is_rejected_with_the_documented_message(
    rig_without_worker: PatternRig,
) -> None:
    with pytest.raises(BadRequest, match=r"^Either intervalMs or cronspec required$"):
        await register(rig_without_worker, interval_ms=None)


async def test_both_schedules_together_are_rejected(rig_without_worker: PatternRig) -> None:
    with pytest.raises(BadRequest, match="mutually exclusive"):
        await register(rig_without_worker, interval_ms=MINUTE, cronspec="@daily")


async def test_all_invalid_fields_are_reported_together(rig_without_worker: PatternRig) -> None:
    with pytest.raises(BadRequest) as raised:
        await register(rig_without_worker, interval_ms=1, name="", tz="Nowhere")
    paths = {issue.path[0] for issue in raised.value.issues}
    assert paths == {"intervalMs", "name", "tz"}


async def test_pausing_cancels_the_pending_tick_and_keeps_the_next_run_time(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker)
    paused = await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert (paused.enabled, paused.next_run_time) == (False, cron.next_run_time)
    assert paused.version == cron.version + 1
    [tick] = await rig_without_worker.jobs(TICK)
    assert tick.state is JobState.CANCELED


async def test_pausing_twice_changes_nothing(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    paused = await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id)) == paused


async def test_a_paused_cron_does_not_run(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.advance(10 * MINUTE)
    assert await rig.jobs("tasks.runTask") == []


async def test_resuming_computes_the_next_run_from_now(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig_without_worker.engine.advance(10 * MINUTE)
    resumed = await rig_without_worker.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    ahead = resumed.next_run_time - await rig_without_worker.engine.now()
    assert resumed.enabled
    assert timedelta(seconds=50) < ahead <= timedelta(minutes=1)
    assert await pending_ticks(rig_without_worker) == 1


async def test_resuming_an_enabled_cron_changes_nothing(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    assert await rig_without_worker.run_mutation(lambda ctx: resume_cron(ctx, cron.id)) == cron


async def test_pausing_and_resuming_within_an_interval_leaves_one_tick(rig: PatternRig) -> None:
    cron = await register(rig)
    for _ in range(3):
        await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
        await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    await rig.advance(MINUTE)
    assert len(await rig.jobs("tasks.runTask")) == 1
    assert await pending_ticks(rig) == 1


async def test_deleting_cancels_the_pending_tick_and_keeps_past_jobs(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.advance(MINUTE)
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    await rig.advance(10 * MINUTE)
    assert await rig.all("crons") == []
    assert len(await rig.jobs("tasks.runTask")) == 1
    assert [tick.state for tick in await rig.jobs(TICK)] == [JobState.SUCCESS, JobState.CANCELED]


async def test_the_name_of_a_deleted_cron_can_be_used_again(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    await rig_without_worker.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    assert (await register(rig_without_worker)).id != cron.id


@pytest.mark.parametrize("verb", [pause_cron, resume_cron, delete_cron])
async def test_a_cron_of_another_owner_is_not_found(
    rig_without_worker: PatternRig, verb: Any
) -> None:
    cron = await register(rig_without_worker)
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: verb(ctx, cron.id), "bob")
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: verb(ctx, "0" * 24))


async def test_the_first_run_is_at_start_at(rig_without_worker: PatternRig) -> None:
    start = await rig_without_worker.engine.now() + timedelta(days=2)
    assert (await register(rig_without_worker, start_at=start)).next_run_time == start


async def test_a_cron_is_disabled_at_end_at(rig: PatternRig) -> None:
    end = await rig.engine.now() + timedelta(minutes=2, seconds=30)
    cron = await register(rig, end_at=end)
    for _ in range(4):
        await rig.advance(MINUTE)
    document = await rig.find_one("crons", _id=cron.id)
    assert len(await rig.jobs("tasks.runTask")) == 2
    assert (document["enabled"], document["schedulerJobId"]) == (False, None)
    assert await pending_ticks(rig) == 0


async def test_a_cron_without_a_run_before_its_end_is_rejected(
    rig_without_worker: PatternRig,
) -> None:
    now = await rig_without_worker.engine.now()
    with pytest.raises(PreconditionFailed, match="no run before its end"):
        await register(rig_without_worker, end_at=now + timedelta(seconds=10))
    with pytest.raises(OstinatoError, match="endAt must be later than startAt"):
        await register(rig_without_worker, start_at=now + timedelta(days=1), end_at=now)


async def test_a_date_decades_away_is_reached_by_an_intermediate_tick(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker, cronspec="0 0 */28 2 1#5")
    [intermediate_tick] = await rig_without_worker.jobs(TICK)
    assert cron.next_run_time.astimezone(UTC).strftime("%m-%d %a") == "02-29 Mon"
    assert intermediate_tick.scheduled_time < cron.next_run_time
    assert intermediate_tick.scheduled_time - await rig_without_worker.engine.now() > timedelta(
        days=3 * 365
    )


async def test_jitter_delays_the_run_but_not_the_ticks_after_it(rig: PatternRig) -> None:
    cron = await register(rig, jitter_ms=20 * SECOND)
    await rig.advance(MINUTE + 20 * SECOND)
    [run] = await rig.jobs("tasks.runTask")
    [_, tick] = await rig.jobs(TICK)
    late = run.scheduled_time - cron.next_run_time
    later = tick.scheduled_time - cron.next_run_time - timedelta(minutes=1)
    assert timedelta(0) <= late <= timedelta(seconds=20)
    assert timedelta(0) <= later <= timedelta(seconds=20)
