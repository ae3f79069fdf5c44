"""Random delays of ticks: none is skipped, and none outlives its cron."""

from datetime import timedelta

import pytest

from ostinato.jobs.cron_ledger import CronTick, TickOutcome, TickReason
from ostinato.jobs.functions.crons import delete_cron
from ostinato.jobs.records import Cron, JobState
from tests.jobs.functions.pattern_rig import DAY, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_cron_ledger import (
    INTERVAL,
    end_runs,
    execute,
    outcomes,
    pause,
    ticks_of,
)
from tests.jobs.functions.test_crons import register

DELAY_MS = 10 * MINUTE


async def run_delayed_ticks(rig: PatternRig, cron: Cron, count: int) -> list[CronTick]:
    """Execute each tick job when it is due, and end its run at once; return the records."""
    for _ in range(count):
        [tick] = await rig.jobs("crons.executeCron", state=JobState.PENDING.value)
        early_by = tick.scheduled_time - await rig.engine.now()
        await execute(rig, cron, max(early_by // timedelta(milliseconds=1), 0) + 1)
        await end_runs(rig)
    return await ticks_of(rig, cron)


async def test_a_delay_longer_than_the_interval_skips_no_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, jitter_ms=DELAY_MS)
    found = await run_delayed_ticks(rig, cron, 60)
    runs = [run.scheduled_time for run in await rig.jobs("tasks.runTask")]
    delays = [timedelta(milliseconds=tick.delay_ms) for tick in found]
    planned = [cron.next_run_time + n * INTERVAL for n in range(60)]
    assert {tick.outcome for tick in found} == {TickOutcome.RAN}
    assert [tick.scheduled_time for tick in found] == planned
    assert runs == [due + delay for due, delay in zip(planned, delays, strict=True)]
    assert all(timedelta(0) <= delay < INTERVAL for delay in delays)


@pytest.mark.parametrize("reason", [TickReason.PAUSED, TickReason.DELETED])
async def test_a_delayed_tick_does_not_run_after_a_pause_or_a_deletion(
    rig: PatternRig, reason: TickReason
) -> None:
    cron = await register(rig, interval_ms=DAY, jitter_ms=DAY)
    [tick] = await rig.jobs("crons.executeCron")
    assert tick.scheduled_time > cron.next_run_time + timedelta(seconds=20)
    await rig.engine.advance(DAY + SECOND)
    if reason is TickReason.PAUSED:
        await pause(rig, cron)
    else:
        await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    assert await outcomes(rig, cron) == [(TickOutcome.CANCELED, reason, 1)]
    await rig.advance(2 * DAY)
    assert await rig.jobs("tasks.runTask") == []


async def test_a_delayed_tick_runs_before_the_end(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    end_at = await rig.engine.now() + timedelta(minutes=1, seconds=2)
    cron = await register(rig, jitter_ms=DAY, end_at=end_at)
    await execute(rig, cron, 2 * MINUTE)
    [run] = await rig.jobs("tasks.runTask")
    assert cron.next_run_time <= run.scheduled_time < end_at
