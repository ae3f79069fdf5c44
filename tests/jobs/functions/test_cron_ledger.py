"""The ledger: each planned tick of a cron leaves one record, with its outcome and reason."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ostinato.jobs import due_ticks
from ostinato.jobs.cron_ledger import (
    CronTick,
    TickCounts,
    TickOutcome,
    TickReason,
    cron_tick_from,
    tick_counts_from,
)
from ostinato.jobs.functions.cron_ticks import read_run_history
from ostinato.jobs.functions.crons import delete_cron, execute_cron, pause_cron, resume_cron
from ostinato.jobs.records import CatchUpPolicy, Cron, JobState, OverlapPolicy
from tests.jobs.functions.pattern_rig import DAY, HOUR, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_crons import register

INTERVAL = timedelta(minutes=1)
Outcome = tuple[TickOutcome, TickReason | None, int]


async def ticks_of(rig: PatternRig, cron: Cron) -> list[CronTick]:
    return [cron_tick_from(one) for one in await rig.all("cronTicks", cronId=cron.id)]


async def outcomes(rig: PatternRig, cron: Cron) -> list[Outcome]:
    """Return the outcomes in the ledger, after checking that the cron's counts add up."""
    found = await ticks_of(rig, cron)
    counts: Counter[str] = Counter()
    for tick in found:
        counts[tick.outcome] += tick.tick_count
    for stored in await rig.all("crons", _id=cron.id):
        assert tick_counts_from(stored) == TickCounts(**counts)
    return [(tick.outcome, tick.reason, tick.tick_count) for tick in found]


async def execute(rig: PatternRig, cron: Cron, after_ms: int = 0) -> None:
    """Advance, and run the tick's function without a worker."""
    await rig.engine.advance(after_ms)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))


async def end_runs(rig: PatternRig, state: JobState = JobState.SUCCESS) -> None:
    ended = {"$set": {"state": state.value}}
    await rig.engine.mongo["jobs"].update_many({"functionName": "tasks.runTask"}, ended)


async def pause(rig: PatternRig, cron: Cron) -> Cron:
    return await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))


async def test_a_tick_that_ran_is_recorded_with_its_job(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    await execute(rig, cron, MINUTE)
    [tick] = await ticks_of(rig, cron)
    [run] = await rig.jobs("tasks.runTask")
    assert (tick.outcome, tick.reason, tick.job_id) == (TickOutcome.RAN, None, run.id)
    assert (tick.scheduled_time, tick.last_scheduled_time) == (cron.next_run_time,) * 2
    assert (tick.owner, tick.cron_id, tick.version) == ("alice", cron.id, 1)
    stored = await rig.find_one("cronTicks")
    assert stored["purgeAt"] - stored["recordedAt"] == timedelta(days=7)


async def test_records_are_deleted_when_their_time_has_come(rig_without_worker: PatternRig) -> None:
    indexes = await rig_without_worker.engine.mongo["cronTicks"].index_information()
    (ttl,) = [index for index in indexes.values() if "expireAfterSeconds" in index]
    assert (ttl["key"], ttl["expireAfterSeconds"]) == ([("purgeAt", 1)], 0)


async def test_an_early_or_second_call_records_nothing(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    for _ in range(2):
        await execute(rig_without_worker, cron)
    assert await outcomes(rig_without_worker, cron) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            CatchUpPolicy.LATEST,
            [(TickOutcome.COALESCED, TickReason.CAUGHT_UP, 9), (TickOutcome.RAN, None, 1)],
        ),
        (CatchUpPolicy.SKIP, [(TickOutcome.MISSED, TickReason.DOWNTIME, 10)]),
        (CatchUpPolicy.ALL, [(TickOutcome.RAN, None, 1)] * 10),
    ],
)
async def test_missed_ticks_are_recorded_by_what_the_catch_up_did(
    rig_without_worker: PatternRig, policy: CatchUpPolicy, expected: list[Outcome]
) -> None:
    rig = rig_without_worker
    cron = await register(rig, catch_up=policy)
    await execute(rig, cron, 10 * MINUTE + 30 * SECOND)
    assert await outcomes(rig, cron) == expected
    first, *_, last = [*await ticks_of(rig, cron)] * 2
    assert first.scheduled_time == cron.next_run_time
    assert last.last_scheduled_time == cron.next_run_time + 9 * INTERVAL
    if policy is CatchUpPolicy.LATEST:
        assert first.job_id == last.job_id


async def test_missed_ticks_beyond_those_that_are_caught_up_at_once_are_one_record(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    monkeypatch.setattr(due_ticks, "MAX_RUNS_PER_TICK", 20)
    cron = await register(rig, interval_ms=1_000, catch_up=CatchUpPolicy.ALL)
    await execute(rig, cron, 120 * SECOND)
    missed, *ran = await outcomes(rig, cron)
    assert missed[:2] == (TickOutcome.MISSED, TickReason.TOO_MANY_MISSED)
    assert ran == [(TickOutcome.RAN, None, 1)] * 20
    assert missed[2] >= 100


async def test_a_tick_during_a_run_is_skipped_because_of_the_overlap(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker)
    for _ in range(2):
        await execute(rig_without_worker, cron, MINUTE)
    assert await outcomes(rig_without_worker, cron) == [
        (TickOutcome.RAN, None, 1),
        (TickOutcome.SKIPPED, TickReason.OVERLAP, 1),
    ]


async def test_missed_ticks_are_not_coalesced_if_the_newest_is_skipped(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker)
    for minutes in (1, 4):
        await execute(rig_without_worker, cron, minutes * MINUTE)
    assert await outcomes(rig_without_worker, cron) == [
        (TickOutcome.RAN, None, 1),
        (TickOutcome.MISSED, TickReason.DOWNTIME, 3),
        (TickOutcome.SKIPPED, TickReason.OVERLAP, 1),
    ]


async def test_queued_ticks_are_recorded_when_they_run_or_are_dropped(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    for _ in range(4):
        await execute(rig, cron, MINUTE)
    assert await outcomes(rig, cron) == [(TickOutcome.RAN, None, 1)]
    await end_runs(rig)
    await execute(rig, cron, MINUTE)
    assert (await ticks_of(rig, cron))[-1].scheduled_time == cron.next_run_time + INTERVAL
    await pause(rig, cron)
    assert await outcomes(rig, cron) == [
        (TickOutcome.RAN, None, 1),
        (TickOutcome.RAN, None, 1),
        (TickOutcome.CANCELED, TickReason.PAUSED, 3),
    ]


async def test_ticks_beyond_the_queue_are_skipped(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE, catch_up=CatchUpPolicy.ALL)
    await execute(rig, cron, 110 * MINUTE)
    assert await outcomes(rig, cron) == [
        (TickOutcome.RAN, None, 1),
        (TickOutcome.SKIPPED, TickReason.QUEUE_FULL, 9),
    ]


async def test_ticks_during_a_pause_are_one_record_when_it_ends(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    await pause(rig, cron)
    await rig.engine.advance(DAY)
    resumed = await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    [(outcome, reason, count)] = await outcomes(rig, cron)
    assert (outcome, reason) == (TickOutcome.SKIPPED, TickReason.PAUSED)
    assert count in (1440, 1441)
    [tick] = await ticks_of(rig, cron)
    assert tick.last_scheduled_time == cron.next_run_time + (count - 1) * INTERVAL
    assert resumed.next_run_time > tick.last_scheduled_time


async def test_due_ticks_are_canceled_by_a_pause_or_were_missed(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    await rig.engine.advance(3 * MINUTE + SECOND)
    paused = await pause(rig, cron)
    assert await outcomes(rig, cron) == [
        (TickOutcome.MISSED, TickReason.DOWNTIME, 2),
        (TickOutcome.CANCELED, TickReason.PAUSED, 1),
    ]
    assert paused.next_run_time == cron.next_run_time + 3 * INTERVAL


async def test_deleting_a_cron_decides_the_ticks_that_are_left(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, overlap=OverlapPolicy.QUEUE)
    for _ in range(3):
        await execute(rig, cron, MINUTE)
    await rig.engine.advance(MINUTE)
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    assert await outcomes(rig, cron) == [
        (TickOutcome.RAN, None, 1),
        (TickOutcome.CANCELED, TickReason.DELETED, 2),
        (TickOutcome.CANCELED, TickReason.DELETED, 1),
    ]


async def test_deleting_a_paused_cron_records_the_ticks_of_the_pause(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, cronspec="0 * * * *")
    await pause(rig, cron)
    await rig.engine.advance(10 * HOUR)
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    assert await outcomes(rig, cron) == [(TickOutcome.SKIPPED, TickReason.PAUSED, 10)]


async def test_no_tick_is_planned_at_or_after_the_end(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    end_at = await rig.engine.now() + timedelta(minutes=3, seconds=30)
    cron = await register(rig, catch_up=CatchUpPolicy.ALL, end_at=end_at)
    await execute(rig, cron, HOUR)
    assert await outcomes(rig, cron) == [(TickOutcome.RAN, None, 1)] * 3
    assert not (await rig.find_one("crons", _id=cron.id))["enabled"]
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    assert len(await ticks_of(rig, cron)) == 3


async def test_a_tick_without_a_function_is_skipped(rig: PatternRig) -> None:
    cron = await register(rig)
    gone = {"$set": {"functionName": "gone.function"}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, gone)
    await rig.advance(MINUTE)
    assert await outcomes(rig, cron) == [(TickOutcome.SKIPPED, TickReason.FUNCTION_REFUSED, 1)]


async def test_malformed_counts_start_again_and_a_malformed_queue_is_dropped(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    broken: dict[str, Any] = {"$set": {"tickCounts": 5, "queuedTicks": "soon"}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, broken)
    await execute(rig, cron, MINUTE)
    await pause(rig, cron)
    assert await outcomes(rig, cron) == [(TickOutcome.RAN, None, 1)]


async def test_ticks_of_a_year_of_seconds_are_counted_and_the_newest_runs(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, cronspec="* * * * * *")
    await execute(rig, cron, 365 * DAY)
    await pause(rig, cron)
    await rig.engine.advance(365 * DAY)
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    older, ran, *_, paused = await ticks_of(rig, cron)
    assert ran.outcome is TickOutcome.RAN
    assert older.tick_count == (ran.scheduled_time - cron.next_run_time).total_seconds()
    assert abs(paused.tick_count - 365 * 86_400) <= 2


async def test_failures_in_a_row_are_counted_across_ticks(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    counted = []
    for state in (JobState.FAILED, JobState.FAILED, JobState.CANCELED, JobState.SUCCESS):
        await execute(rig, cron, MINUTE)
        [run] = await rig.jobs("tasks.runTask", state=JobState.PENDING.value)
        await rig.engine.mongo["jobs"].update_one({"_id": run.id}, {"$set": {"state": state}})
        found = await rig.find_one("crons", _id=cron.id)
        history = await rig.run_mutation(partial(read_run_history, found=found))
        counted.append(history.failures_in_a_row)
    assert counted == [1, 2, 2, 0]


async def test_a_stored_time_that_is_no_tick_moves_to_the_next_one(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, cronspec="0 0 1 1 *")
    wrong = {"$set": {"nextRunTime": await rig.engine.now() - timedelta(seconds=1)}}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, wrong)
    await execute(rig, cron)
    stored = await rig.find_one("crons", _id=cron.id)
    [tick] = await rig.jobs("crons.executeCron", state=JobState.PENDING.value)
    assert stored["nextRunTime"] == tick.scheduled_time == cron.next_run_time
    assert stored["schedulerJobId"] == tick.id
    assert await rig.jobs("tasks.runTask") == []
