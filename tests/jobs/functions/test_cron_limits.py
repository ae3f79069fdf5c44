"""The limits of a cron: its number of runs, its catch-up window, and failed runs in a row."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.cron_ledger import TickOutcome, TickReason
from ostinato.jobs.errors import BadRequest, PreconditionFailed
from ostinato.jobs.functions.cron_runs import check_failures
from ostinato.jobs.functions.crons import execute_cron, resume_cron
from ostinato.jobs.mongo.poisoned_jobs import HeldJob
from ostinato.jobs.records import CatchUpPolicy, Cron, JobState, OverlapPolicy, PauseReason
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_cron_changes import update
from tests.jobs.functions.test_cron_ledger import outcomes
from tests.jobs.functions.test_crons import TICK, register
from tests.processes import eventually

RAN = (TickOutcome.RAN, None, 1)


async def tick(rig: PatternRig, cron: Cron, ms: int = MINUTE) -> tuple[bool, str | None]:
    """Advance and run the tick; return whether the cron is enabled, and why it is paused."""
    await rig.engine.advance(ms)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    stored = await rig.find_one("crons", _id=cron.id)
    return stored["enabled"], stored.get("pausedBecause")


async def test_cron_pauses_after_its_last_run(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig, max_runs=2, overlap=OverlapPolicy.ALLOW)
    assert await tick(rig, cron) == (True, None)
    assert await tick(rig, cron) == (False, PauseReason.MAX_RUNS)
    assert await rig.jobs(TICK, state=JobState.PENDING.value) == []
    assert await outcomes(rig, cron) == [RAN, RAN]
    with pytest.raises(PreconditionFailed, match="2 ticks of the cron have run"):
        await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert (await update(rig, cron.id, {"max_runs": 3, "enabled": True})).enabled
    with pytest.raises(PreconditionFailed, match="maxRuns is 1"):
        await update(rig, cron.id, {"max_runs": 1})
    assert await tick(rig, cron) == (False, PauseReason.MAX_RUNS)


@pytest.mark.parametrize("overlap", [OverlapPolicy.ALLOW, OverlapPolicy.QUEUE])
async def test_ticks_beyond_the_last_run_are_skipped(
    rig_without_worker: PatternRig, overlap: OverlapPolicy
) -> None:
    rig = rig_without_worker
    cron = await register(rig, max_runs=1, overlap=overlap, catch_up=CatchUpPolicy.ALL)
    assert await tick(rig, cron, 3 * MINUTE) == (False, PauseReason.MAX_RUNS)
    assert await outcomes(rig, cron) == [RAN, (TickOutcome.SKIPPED, TickReason.MAX_RUNS, 2)]
    assert (await rig.find_one("crons", _id=cron.id))["queuedTicks"] == []


async def test_ticks_before_the_catch_up_window_are_missed(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    window = 150 * SECOND
    too_old = (TickOutcome.MISSED, TickReason.TOO_OLD, 8)
    for policy, others in (
        (CatchUpPolicy.ALL, [RAN, RAN]),
        (CatchUpPolicy.LATEST, [(TickOutcome.COALESCED, TickReason.CAUGHT_UP, 1), RAN]),
        (CatchUpPolicy.SKIP, [(TickOutcome.MISSED, TickReason.DOWNTIME, 2)]),
    ):
        cron = await register(rig, name=policy, catch_up_window_ms=window, catch_up=policy)
        await tick(rig, cron, 10 * MINUTE + 40 * SECOND)
        assert await outcomes(rig, cron) == [too_old, *others]


async def test_no_tick_runs_that_is_older_than_the_window(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig, interval_ms=HOUR, catch_up_window_ms=MINUTE)
    await tick(rig, cron, HOUR + 2 * MINUTE)
    assert await outcomes(rig, cron) == [(TickOutcome.MISSED, TickReason.TOO_OLD, 1)]
    stored = await rig.find_one("crons", _id=cron.id)
    assert stored["nextRunTime"] == cron.next_run_time + timedelta(hours=1)
    await tick(rig, cron, 58 * MINUTE)
    assert (await outcomes(rig, cron))[1:] == [RAN]


async def test_cron_pauses_at_the_tick_that_finds_its_runs_failed(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, pause_after_failures=2)
    for state in (JobState.FAILED, JobState.SUCCESS, JobState.FAILED, JobState.FAILED):
        assert await tick(rig, cron) == (True, None)
        await end_last_run(rig, state)
    assert await tick(rig, cron) == (False, PauseReason.FAILED_RUNS)
    skipped = (TickOutcome.SKIPPED, TickReason.FAILED_RUNS, 1)
    assert await outcomes(rig, cron) == [RAN, RAN, RAN, RAN, skipped]
    await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert await tick(rig, cron) == (True, None)


async def test_last_failed_run_pauses_its_cron_before_the_next_tick(rig: PatternRig) -> None:
    counting: dict[str, Any] = {"function_name": "work.breakDown", "interval_ms": HOUR}
    cron = await register(rig, pause_after_failures=2, **counting)
    other = await register(rig, name="other", **counting)

    async def is_paused() -> bool:
        return not (await rig.find_one("crons", _id=cron.id))["enabled"]

    for expected in (False, True):
        await rig.advance(HOUR)
        await eventually(lambda: no_job_is_active(rig), within=30)
        assert await is_paused() is expected
    assert (await rig.find_one("crons", _id=cron.id))["pausedBecause"] == PauseReason.FAILED_RUNS
    assert await outcomes(rig, cron) == [RAN, RAN]
    assert [job.cause.id for job in await rig.jobs("crons.checkFailures")] == [cron.id] * 2
    assert (await rig.find_one("crons", _id=other.id))["enabled"]


async def test_poisoned_run_is_counted_before_the_next_tick(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, pause_after_failures=1)
    await tick(rig, cron)
    [run] = await rig.jobs("tasks.runTask")
    await rig.engine.mongo["jobs"].update_one({"_id": run.id}, {"$set": {"timeline": "x"}})
    held = HeldJob(run.id, JobState.PENDING)
    assert await rig.engine.store.poisoned.fail(held, ValueError("malformed"), 0)
    [check] = await rig.jobs("crons.checkFailures")
    assert check.args == {"cron_id": cron.id}
    assert await rig.run_mutation(lambda ctx: check_failures(ctx, cron.id))
    assert (await rig.find_one("crons", _id=cron.id))["pausedBecause"] == PauseReason.FAILED_RUNS


async def no_job_is_active(rig: PatternRig) -> bool:
    """Return whether every job that is due has ended."""
    due = {"scheduledTime": {"$lte": await rig.engine.now()}}
    return not await rig.all("jobs", state={"$in": ["pending", "inProgress"]}, **due)


async def end_last_run(rig: PatternRig, state: JobState) -> None:
    newest = (await rig.jobs("tasks.runTask", state=JobState.PENDING.value))[-1]
    ended = {"$set": {"state": state.value}}
    await rig.engine.mongo["jobs"].update_one({"_id": newest.id}, ended)


async def test_queue_is_drained_up_to_the_last_run(rig: PatternRig) -> None:
    cron = await register(rig, max_runs=2, overlap=OverlapPolicy.QUEUE, catch_up=CatchUpPolicy.ALL)
    await rig.advance(3 * MINUTE)

    async def is_paused() -> bool:
        return not (await rig.find_one("crons", _id=cron.id))["enabled"]

    await eventually(is_paused)
    await rig.wait_until_settled()
    stored = await rig.find_one("crons", _id=cron.id)
    assert stored["pausedBecause"] == PauseReason.MAX_RUNS
    assert await outcomes(rig, cron) == [RAN, RAN, (TickOutcome.SKIPPED, TickReason.MAX_RUNS, 1)]
    assert await rig.jobs(TICK, state=JobState.PENDING.value) == []


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("max_runs", 0, "maxRuns"),
        ("catch_up_window_ms", 14_999, "catchUpWindowMs"),
        ("pause_after_failures", 101, "pauseAfterFailures"),
    ],
)
async def test_limit_has_a_range(
    rig_without_worker: PatternRig, field: str, value: int, path: str
) -> None:
    fields: dict[str, Any] = {field: value}
    with pytest.raises(BadRequest) as raised:
        await register(rig_without_worker, **fields)
    assert [issue.path for issue in raised.value.issues] == [(path,)]
