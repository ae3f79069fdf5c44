"""Runs of crons outside their schedule: triggered ones, and those of past ticks."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, NoReturn

import pytest

from ostinato.jobs.cron_ledger import TickOrigin, tick_counts_from
from ostinato.jobs.errors import (
    BadRequest,
    PreconditionFailed,
    QuotaExceeded,
    VersionConflict,
)
from ostinato.jobs.functions import cron_ticks
from ostinato.jobs.functions.cron_runs import TickPeriod, backfill_cron, trigger_cron
from ostinato.jobs.functions.crons import execute_cron, pause_cron, release_queued, resume_cron
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.records import Cron, JobState, OverlapPolicy
from ostinato.jobs.run_history import RELEASE_QUEUED
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_cron_changes import RUN, update
from tests.jobs.functions.test_cron_ledger import INTERVAL, ticks_of
from tests.jobs.functions.test_cron_ticks import have_run
from tests.jobs.functions.test_crons import register
from tests.jobs.functions.work import gate
from tests.processes import eventually

DAY_LATER = timedelta(days=1)


async def test_triggered_run_starts_now_and_moves_no_tick(rig: PatternRig) -> None:
    cron = await register(rig)
    triggered, job_id = await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    await rig.wait_until_settled()
    [run] = await rig.jobs(RUN)
    assert (run.id, run.state, run.cause.id) == (job_id, JobState.SUCCESS, cron.id)
    assert triggered.next_run_time == cron.next_run_time
    [record] = await ticks_of(rig, cron)
    assert (record.origin, record.job_id) == (TickOrigin.TRIGGER, job_id)
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RUN)) == 2
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    await rig.wait_until_settled()
    assert len(await rig.jobs(RUN)) == 3


async def test_repeated_trigger_with_a_key_returns_the_first_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.ALLOW)

    async def trigger(key: str | None) -> str:
        _, job_id = await rig.run_mutation(
            lambda ctx: trigger_cron(ctx, cron.id, key, cron.version if key == "a" else None)
        )
        return job_id

    first = await trigger("a")
    assert await trigger("a") == first
    assert len({first, await trigger("b"), await trigger(None), await trigger(None)}) == 4
    assert len(await rig.jobs(RUN)) == 4


@pytest.mark.usefixtures("_open_gate")
async def test_triggered_run_overlaps_only_if_the_cron_allows_it(rig: PatternRig) -> None:
    cron = await register(rig, function_name="work.waitAtGate")
    await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    with pytest.raises(PreconditionFailed, match="SKIP"):
        await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    await rig.engine.advance(MINUTE)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    document = await rig.find_one("crons", _id=cron.id)
    assert document["skippedTicks"] == 1
    await update(rig, cron.id, {"overlap": OverlapPolicy.ALLOW})
    await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    assert len(await rig.jobs("work.waitAtGate")) == 2


async def backfill(
    rig: PatternRig, cron: Cron, start: datetime, end: datetime, version: int | None = None
) -> tuple[int, int]:
    """Return how many ticks started, and how many had run before."""
    done = await rig.run_mutation(
        lambda ctx: backfill_cron(ctx, cron.id, TickPeriod(start, end), version)
    )
    return done.started, done.already_ran


async def test_backfill_runs_each_tick_that_has_not_run_once(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, cronspec="* * * * *", overlap=OverlapPolicy.ALLOW)
    first = cron.next_run_time
    await rig.engine.advance(10 * MINUTE)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))  # runs the latest, the tenth
    assert await backfill(rig, cron, first, first + 4 * INTERVAL) == (4, 0)
    assert await backfill(rig, cron, first, first + 4 * INTERVAL) == (0, 4)
    assert await backfill(rig, cron, first, first + DAY_LATER) == (5, 5)
    runs = [run.scheduled_time for run in await rig.jobs(RUN)]
    assert runs == [first + n * INTERVAL for n in range(10)]
    origins = Counter(record.origin for record in await ticks_of(rig, cron))
    assert origins[TickOrigin.BACKFILL] == 9
    [stored] = await rig.all("crons")
    assert tick_counts_from(stored).planned == 10


async def test_backfill_of_a_paused_cron_and_before_its_registration(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.ALLOW)
    before = cron.next_run_time - 4 * INTERVAL
    assert await backfill(rig, cron, before, before + DAY_LATER) == (4, 0)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.engine.advance(3 * MINUTE)
    assert await backfill(rig, cron, before, before + DAY_LATER) == (3, 4)
    resumed = await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert resumed.enabled


@pytest.mark.usefixtures("_open_gate")
async def test_backfilled_ticks_of_a_queueing_cron_run_one_after_another(rig: PatternRig) -> None:
    cron = await register(rig, function_name="work.waitAtGate", overlap=OverlapPolicy.QUEUE)
    first = cron.next_run_time - 4 * INTERVAL
    assert await backfill(rig, cron, first, cron.next_run_time) == (4, 0)
    gate.opened.set()
    await eventually(partial(have_run, rig, 4), within=30)
    runs = await rig.jobs("work.waitAtGate")
    assert [run.scheduled_time for run in runs] == [first + n * INTERVAL for n in range(4)]
    assert all(
        run.completed_at and later.started_at and run.completed_at <= later.started_at
        for run, later in pairwise(runs)
    )
    assert [record.origin for record in await ticks_of(rig, cron)] == [TickOrigin.BACKFILL] * 4
    [stored] = await rig.all("crons")
    assert (stored["backfillTicks"], tick_counts_from(stored).planned) == ([], 0)


async def test_cron_with_a_backfill_that_waits_starts_no_other_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    first = cron.next_run_time - 4 * INTERVAL
    assert await backfill(rig, cron, first, cron.next_run_time) == (4, 0)
    assert await backfill(rig, cron, first, cron.next_run_time) == (0, 4)
    assert len(await rig.jobs(RUN)) == 1
    await end_runs(rig)
    with pytest.raises(PreconditionFailed, match="ticks of the cron wait"):
        await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))


async def end_runs(rig: PatternRig) -> None:
    await rig.engine.mongo["jobs"].update_many(
        {"functionName": RUN}, {"$set": {"state": JobState.SUCCESS.value}}
    )


async def test_ticks_of_the_schedule_run_before_those_of_a_backfill(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    first, due = cron.next_run_time - 3 * INTERVAL, cron.next_run_time
    assert await backfill(rig, cron, first, due) == (3, 0)
    await rig.engine.advance(MINUTE)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    expected = [first, due, first + INTERVAL, first + 2 * INTERVAL]
    for count in range(1, 5):
        runs = [run.scheduled_time for run in await rig.jobs(RUN)]
        assert sorted(runs) == sorted(expected[:count])
        await end_runs(rig)
        await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))


async def queue_backfill(rig: PatternRig, **fields: Any) -> Cron:
    """Register a cron, and backfill three ticks; the first of them is pending."""
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": {"x": 0, **fields}})
    await backfill(rig, cron, cron.next_run_time - 3 * INTERVAL, cron.next_run_time)
    return cron


async def waiting_ticks(rig: PatternRig) -> int:
    [stored] = await rig.all("crons")
    return len(stored["backfillTicks"])


async def test_backfill_of_a_cron_that_failed_runs_have_paused_goes_on(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    failed = {"enabled": False, "failuresInARow": 1, "pauseAfterFailures": 1}
    cron = await queue_backfill(rig, **failed, pausedBecause="failedRuns")
    await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))
    assert (await waiting_ticks(rig), len(await rig.jobs(RUN))) == (2, 1)
    await end_runs(rig)
    await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))
    assert (await waiting_ticks(rig), len(await rig.jobs(RUN))) == (1, 2)


async def test_pausing_a_paused_cron_drops_what_is_left_of_a_backfill(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await queue_backfill(rig, enabled=False)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert await waiting_ticks(rig) == 0
    assert await rig.jobs(RELEASE_QUEUED, state=JobState.PENDING.value) == []


async def test_backfill_waits_while_the_quota_of_its_owner_is_used_up(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    cron = await queue_backfill(rig)
    await end_runs(rig)
    with monkeypatch.context() as full:
        full.setattr(cron_ticks, "start_run", refuse)
        await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))
    assert (await waiting_ticks(rig), await rig.all("failures")) == (2, [])
    await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))
    assert (await waiting_ticks(rig), len(await rig.jobs(RUN))) == (1, 2)


async def refuse(*_: object) -> NoReturn:
    raise QuotaExceeded("full", quota="pending_jobs", used=1, limit=1)


async def test_backfill_of_a_function_that_is_gone_is_skipped_with_one_failure(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await queue_backfill(rig)
    await end_runs(rig)
    gone = {"$set": {"functionName": "work.gone"}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    await rig.run_mutation(lambda ctx: release_queued(ctx, cron.id))
    assert (await waiting_ticks(rig), len(await rig.all("failures"))) == (0, 1)
    records = await ticks_of(rig, cron)
    assert Counter(record.outcome for record in records) == {"ran": 1, "skipped": 1}
    assert {record.origin for record in records} == {TickOrigin.BACKFILL}


async def test_pausing_a_cron_drops_what_is_left_of_a_backfill(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    await backfill(rig, cron, cron.next_run_time - 3 * INTERVAL, cron.next_run_time)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    [stored] = await rig.all("crons")
    assert (stored["backfillTicks"], stored["skippedTicks"]) == ([], 0)
    assert [record.origin for record in await ticks_of(rig, cron)] == [TickOrigin.BACKFILL]


async def test_backfill_is_bounded_and_says_where_to_continue(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, interval_ms=SECOND, overlap=OverlapPolicy.ALLOW)
    start = cron.next_run_time - 1_000 * timedelta(seconds=1)
    with pytest.raises(BadRequest, match="more than 500 ticks") as raised:
        await backfill(rig, cron, start, cron.next_run_time)
    assert raised.value.issues[0].path == ("to",)
    assert format_instant(start + 500 * timedelta(seconds=1)) in str(raised.value)
    for first, last, path in (
        (start, start, "to"),
        (start - timedelta(days=8), start, "from"),
    ):
        with pytest.raises(BadRequest) as raised:
            await backfill(rig, cron, first, last)
        assert raised.value.issues[0].path == (path,)


async def test_backfill_takes_the_expected_version_and_waits_for_a_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    start, end = cron.next_run_time - 2 * INTERVAL, cron.next_run_time
    with pytest.raises(VersionConflict):
        await backfill(rig, cron, start, end, 7)
    await rig.run_mutation(lambda ctx: trigger_cron(ctx, cron.id))
    with pytest.raises(PreconditionFailed, match="has not ended"):
        await backfill(rig, cron, start, end)
