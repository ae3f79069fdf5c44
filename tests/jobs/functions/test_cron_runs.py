"""Runs of crons outside their schedule: triggered ones."""

import pytest

from ostinato.jobs.cron_ledger import TickOrigin
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.functions.cron_runs import trigger_cron
from ostinato.jobs.functions.crons import execute_cron, pause_cron
from ostinato.jobs.records import JobState, OverlapPolicy
from tests.jobs.functions.pattern_rig import MINUTE, PatternRig
from tests.jobs.functions.test_cron_changes import RUN, update
from tests.jobs.functions.test_cron_ledger import ticks_of
from tests.jobs.functions.test_crons import register


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
