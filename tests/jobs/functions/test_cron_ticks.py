"""`crons.executeCron`: ticks on time, early, late, duplicated or lost."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.functions import cron_ticks
from ostinato.jobs.functions.crons import execute_cron, pause_cron, repair_cron
from ostinato.jobs.records import CatchUpPolicy, CauseKind, JobState, OverlapPolicy
from ostinato.jobs.run_history import RELEASE_QUEUED
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_crons import TICK, pending_ticks, register
from tests.jobs.functions.work import gate
from tests.processes import eventually

RUN = "tasks.runTask"


async def due_times(rig: PatternRig, name: str = RUN) -> list[datetime]:
    return [job.scheduled_time for job in await rig.jobs(name)]


async def execute(rig: PatternRig, cron_id: str) -> None:
    """Run the tick's function manually, in addition to the cron's own tick."""
    await rig.schedule_at_once(TICK, {"cronId": cron_id})
    await rig.wait_until_settled()


async def test_a_due_tick_runs_the_function_and_schedules_the_next_tick(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.advance(MINUTE)
    after = await rig.find_one("crons", _id=cron.id)
    [run] = await rig.jobs(RUN)
    assert (run.state, run.owner, run.internal) == (JobState.SUCCESS, "alice", False)
    assert (run.cause.kind, run.cause.id) == (CauseKind.CRON, cron.id)
    assert run.args == {"name": "cleanup"}
    assert [job.root_id == job.id for job in await rig.jobs()] == [True] * 3
    assert after["lastRunTime"] >= cron.next_run_time
    assert after["nextRunTime"] == cron.next_run_time + timedelta(minutes=1)
    assert await pending_ticks(rig) == 1


async def test_the_next_run_is_computed_from_the_scheduled_time(rig: PatternRig) -> None:
    cron = await register(rig)
    for _ in range(3):
        await rig.advance(MINUTE + 5 * SECOND)
    expected = [cron.next_run_time + n * timedelta(minutes=1) for n in range(3)]
    assert await due_times(rig) == expected


async def test_a_disabled_cron_does_nothing_when_executed(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    before = await rig.find_one("crons", _id=cron.id)
    await execute(rig, cron.id)
    assert await rig.find_one("crons", _id=cron.id) == before
    assert await rig.jobs(RUN) == []


async def test_a_deleted_cron_does_nothing_when_executed(rig: PatternRig) -> None:
    await execute(rig, "0" * 24)
    [tick] = await rig.jobs(TICK)
    assert tick.state is JobState.SUCCESS


async def test_an_early_call_keeps_the_pending_tick_job(rig: PatternRig) -> None:
    cron = await register(rig)
    await execute(rig, cron.id)
    assert await rig.jobs(RUN) == []
    assert await pending_ticks(rig) == 1


async def test_an_early_call_schedules_a_missing_tick_job(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.engine.cancel(str(cron.scheduler_job_id))
    await execute(rig, cron.id)
    [tick] = await rig.jobs(TICK, state=JobState.PENDING.value)
    assert tick.scheduled_time == cron.next_run_time


async def test_many_tick_jobs_of_one_tick_run_the_function_once(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.engine.advance(MINUTE)
    await asyncio.gather(*(rig.schedule_at_once(TICK, {"cronId": cron.id}) for _ in range(5)))
    await rig.wait_until_settled()
    assert await due_times(rig) == [cron.next_run_time]
    assert await pending_ticks(rig) == 1


async def test_a_due_call_replaces_the_pending_tick_job(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    await rig_without_worker.engine.advance(MINUTE)
    await rig_without_worker.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    [tick] = await rig_without_worker.jobs(TICK, state=JobState.PENDING.value)
    [before] = await rig_without_worker.jobs(TICK, state=JobState.CANCELED.value)
    assert before.id == cron.scheduler_job_id
    assert tick.scheduled_time == cron.next_run_time + timedelta(minutes=1)


async def missed(rig: PatternRig, policy: CatchUpPolicy) -> tuple[int, int]:
    """Make a minutely cron miss 9 ticks and run the tenth 30 s late; return (runs, skipped)."""
    cron = await register(rig, catch_up=policy)
    await rig.advance(10 * MINUTE + 30 * SECOND)
    after = await rig.find_one("crons", _id=cron.id)
    assert after["nextRunTime"] == cron.next_run_time + timedelta(minutes=10)
    return len(await rig.jobs(RUN)), after["skippedTicks"]


async def test_catch_up_latest_runs_one_missed_tick_and_counts_the_others(rig: PatternRig) -> None:
    assert await missed(rig, CatchUpPolicy.LATEST) == (1, 9)


async def test_catch_up_skip_counts_the_missed_ticks_and_runs_none(rig: PatternRig) -> None:
    assert await missed(rig, CatchUpPolicy.SKIP) == (0, 10)


async def test_catch_up_all_runs_every_missed_tick(rig: PatternRig) -> None:
    assert await missed(rig, CatchUpPolicy.ALL) == (10, 0)


async def overlapping(rig: PatternRig, policy: OverlapPolicy) -> dict[str, Any]:
    """Advance by three ticks during the first run; return the cron's document."""
    cron = await register(rig, function_name="work.waitAtGate", overlap=policy)
    for tick in range(3):
        await rig.engine.advance(MINUTE)
        next_run = cron.next_run_time + (tick + 1) * timedelta(minutes=1)
        await eventually(partial(_has_next_run, rig, cron.id, next_run))
    return await rig.find_one("crons", _id=cron.id)


async def _has_next_run(rig: PatternRig, cron_id: str, due: datetime) -> bool:
    return bool((await rig.find_one("crons", _id=cron_id))["nextRunTime"] == due)


async def have_run(rig: PatternRig, count: int) -> bool:
    return len(await rig.jobs("work.waitAtGate", state=JobState.SUCCESS.value)) == count


async def test_overlap_skip_skips_ticks_while_the_previous_one_runs(rig: PatternRig) -> None:
    document = await overlapping(rig, OverlapPolicy.SKIP)
    assert document["skippedTicks"] == 2
    gate.opened.set()
    await rig.advance(MINUTE)
    assert len(await rig.jobs("work.waitAtGate")) == 2


async def test_overlap_allow_runs_every_tick(rig: PatternRig) -> None:
    document = await overlapping(rig, OverlapPolicy.ALLOW)
    gate.opened.set()
    assert document["skippedTicks"] == 0
    assert len(await rig.jobs("work.waitAtGate")) == 3


async def test_overlap_queue_runs_every_tick_in_sequence(rig: PatternRig) -> None:
    document = await overlapping(rig, OverlapPolicy.QUEUE)
    assert len(document["queuedTicks"]) == 2
    assert len(await rig.jobs("work.waitAtGate")) == 1
    gate.opened.set()
    await eventually(partial(have_run, rig, 3), within=30)
    runs = await rig.jobs("work.waitAtGate")
    started = [run.started_at for run in runs]
    ended = [run.completed_at for run in runs]
    assert len(runs) == 3
    assert all(
        start >= end for start, end in zip(started[1:], ended, strict=False) if start and end
    )


async def test_queued_tick_starts_when_the_run_before_it_ends(
    rig: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron_ticks, "RELEASE_POLL_MS", 24 * HOUR)
    await overlapping(rig, OverlapPolicy.QUEUE)
    gate.opened.set()
    await eventually(partial(have_run, rig, 3), within=30)
    [cron] = await rig.all("crons")
    assert cron["queuedTicks"] == []
    assert await rig.jobs(RELEASE_QUEUED, state=JobState.PENDING.value) == []


async def test_at_most_100_ticks_are_queued_and_one_job_releases_them(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(
        rig_without_worker, overlap=OverlapPolicy.QUEUE, catch_up=CatchUpPolicy.ALL
    )
    for ticks in (60, 60):
        await rig_without_worker.engine.advance(ticks * MINUTE)
        await rig_without_worker.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    after = await rig_without_worker.find_one("crons", _id=cron.id)
    assert (len(after["queuedTicks"]), after["skippedTicks"]) == (100, 19)
    assert (
        len(await rig_without_worker.jobs("crons.releaseQueued", state=JobState.PENDING.value)) == 1
    )


async def has_canceled_release(rig: PatternRig) -> bool:
    """Return whether the newest release of queued ticks is canceled; it may have been running."""
    *_, release = await rig.jobs("crons.releaseQueued")
    return release.state is JobState.CANCELED


async def test_pausing_drops_queued_ticks_and_counts_them_as_skipped(rig: PatternRig) -> None:
    document = await overlapping(rig, OverlapPolicy.QUEUE)
    paused = await rig.run_mutation(lambda ctx: pause_cron(ctx, document["_id"]))
    await eventually(partial(has_canceled_release, rig))
    gate.opened.set()
    await rig.advance(5 * SECOND)
    assert paused.skipped_ticks == 2
    assert len(await rig.jobs("work.waitAtGate")) == 1


async def test_releasing_without_queued_ticks_changes_nothing(rig: PatternRig) -> None:
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    before = await rig.find_one("crons", _id=cron.id)
    for cron_id in (cron.id, "0" * 24):
        await rig.schedule_at_once("crons.releaseQueued", {"cronId": cron_id})
    await rig.wait_until_settled()
    assert await rig.find_one("crons", _id=cron.id) == before


async def test_a_failing_function_does_not_stop_its_cron(rig: PatternRig) -> None:
    await register(rig, function_name="work.breakDown")
    for _ in range(3):
        await rig.advance(MINUTE)
    runs = await rig.jobs("work.breakDown")
    assert [run.state for run in runs] == [JobState.FAILED] * 3


async def test_an_unregistered_function_logs_a_failure_and_its_cron_continues(
    rig: PatternRig,
) -> None:
    cron = await register(rig)
    gone = {"$set": {"functionName": "gone.function"}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    await rig.advance(MINUTE)
    failure = await rig.find_one("failures", functionName="gone.function")
    after = await rig.find_one("crons", _id=cron.id)
    assert (failure["owner"], failure["error"]["name"]) == ("alice", "BadRequest")
    assert (after["skippedTicks"], after["enabled"]) == (1, True)
    assert await pending_ticks(rig) == 1


async def test_a_cron_whose_function_no_longer_exists_is_logged_once(rig: PatternRig) -> None:
    cron = await register(rig)
    gone = {"$set": {"functionName": "gone.function"}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    with capture_logs() as lines:
        for _ in range(2):
            await rig.advance(MINUTE)
    [line] = [line for line in lines if line["event"] == "cron.not_executed"]
    assert line["cron_id"] == cron.id
    assert "gone.function" in line["reason"]
    assert len(await rig.all("failures", functionName="gone.function")) == 2


async def test_cron_with_a_lost_tick_is_repaired_once(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_cron(ctx, cron.id))
    await rig_without_worker.engine.mongo["jobs"].delete_many({})
    assert await rig_without_worker.run_mutation(lambda ctx: repair_cron(ctx, cron.id))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_cron(ctx, cron.id))
    [tick] = await rig_without_worker.jobs(TICK)
    assert tick.scheduled_time == cron.next_run_time


async def test_a_paused_cron_is_not_repaired(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_cron(ctx, cron.id))


async def test_a_tick_that_failed_finally_is_repeated_within_a_minute(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker)
    failed = {"$set": {"state": "failed"}}
    await rig_without_worker.engine.mongo["jobs"].update_one({"_id": cron.scheduler_job_id}, failed)
    await rig_without_worker.engine.advance(2 * MINUTE)
    assert await rig_without_worker.run_mutation(lambda ctx: repair_cron(ctx, cron.id))
    [tick] = await rig_without_worker.jobs(TICK, state=JobState.PENDING.value)
    ahead = tick.scheduled_time - await rig_without_worker.engine.now()
    assert timedelta(seconds=50) < ahead <= timedelta(minutes=1)


async def test_sweeper_recovers_a_lost_tick(rig: PatternRig) -> None:
    cron = await register(rig)
    await rig.engine.mongo["jobs"].delete_one({"_id": cron.scheduler_job_id})
    await rig.engine.advance(2 * MINUTE)
    await eventually(lambda: rig.jobs(RUN))
    assert await pending_ticks(rig) == 1
