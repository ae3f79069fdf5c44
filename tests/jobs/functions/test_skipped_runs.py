"""Runs that were skipped ahead of time stay skipped, whatever happens to their cron until then."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

import pytest

from ostinato.jobs.cron_ledger import TickOutcome, TickReason
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.functions.calendars import create_calendar
from ostinato.jobs.functions.cron_changes import MAX_SKIPPED, skip_next_run, update_cron
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_previews import plan_change
from ostinato.jobs.functions.cron_runs import TickPeriod, backfill_cron
from ostinato.jobs.functions.crons import execute_cron, pause_cron, resume_cron
from ostinato.jobs.records import CatchUpPolicy, Cron
from ostinato.jobs.time_rules import Exclusions
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, PatternRig
from tests.jobs.functions.test_cron_changes import RUN, only_pending_tick, update
from tests.jobs.functions.test_cron_ledger import INTERVAL, outcomes, ticks_of
from tests.jobs.functions.test_crons import register

REQUESTED: Final = (TickOutcome.SKIPPED, TickReason.REQUESTED, 1)


async def skip(rig: PatternRig, cron: Cron) -> datetime:
    """Skip the next run, and return its time."""
    before = await rig.find_one("crons", _id=cron.id)
    await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))
    at = before["nextRunTime"]
    assert isinstance(at, datetime)
    return at


async def pause_and_resume(rig: PatternRig, cron: Cron) -> Cron:
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    return await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))


async def daily(rig: PatternRig, *, skips: int = 1, hours: int = 6) -> tuple[Cron, list[datetime]]:
    """Register a cron that runs daily, some hours from now, and skip its next runs."""
    at = await rig.engine.now() + timedelta(hours=hours)
    cron = await register(rig, interval_ms=None, cronspec=f"{at.minute} {at.hour} * * *")
    return cron, [await skip(rig, cron) for _ in range(skips)]


@pytest.mark.parametrize("skips", [1, 3])
async def test_skipped_run_stays_skipped_when_its_cron_is_paused_and_resumed(
    rig_without_worker: PatternRig, skips: int
) -> None:
    rig = rig_without_worker
    cron, skipped = await daily(rig, skips=skips)
    resumed = await pause_and_resume(rig, cron)
    assert resumed.next_run_time == skipped[-1] + timedelta(days=1)
    await only_pending_tick(rig, resumed)
    assert await outcomes(rig, cron) == [REQUESTED] * skips


async def test_skipped_run_of_an_interval_with_a_start_stays_skipped(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    start = await rig.engine.now() + timedelta(minutes=10)
    cron = await register(rig, start_at=start)
    assert await skip(rig, cron) == start
    assert (await pause_and_resume(rig, cron)).next_run_time == start + INTERVAL


async def test_cron_that_is_resumed_after_its_skipped_run_runs_at_the_following_tick(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron, [skipped] = await daily(rig)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.engine.advance(12 * HOUR)
    resumed = await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert resumed.next_run_time == skipped + timedelta(days=1)
    assert await outcomes(rig, cron) == [REQUESTED]


@pytest.mark.parametrize("is_paused", [False, True])
async def test_skipped_run_stays_skipped_when_its_schedule_changes(
    rig_without_worker: PatternRig, is_paused: bool
) -> None:
    rig = rig_without_worker
    cron, [skipped] = await daily(rig)
    if is_paused:
        await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    excluded = Exclusions(dates=((skipped + timedelta(days=1)).date(),))
    await update(rig, cron.id, {"exclusions": excluded})
    changed = await update(rig, cron.id, {"end_at": skipped + timedelta(days=9), "enabled": True})
    assert changed.next_run_time == skipped + timedelta(days=2)


async def test_new_schedule_runs_before_and_after_a_skipped_run_but_not_at_its_time(
    rig: PatternRig,
) -> None:
    cron, [skipped] = await daily(rig, hours=2)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    hourly: CronPatch = {"cronspec": f"{skipped.minute} * * * *"}
    plan = await rig.run_mutation(lambda ctx: plan_change(ctx, cron.id, hourly))
    [*_, preview] = plan.compare(timedelta(hours=3, minutes=30))
    await update(rig, cron.id, hourly)
    for _ in range(3):
        await rig.advance(HOUR)
    runs = [run.scheduled_time for run in await rig.jobs(RUN)]
    assert runs == [skipped - timedelta(hours=1), skipped + timedelta(hours=1)]
    assert [run.tick for run in preview.added][:2] == runs
    assert (await outcomes(rig, cron)).count(REQUESTED) == 1


@pytest.mark.parametrize("schedule", ["cronspec", "interval"])
async def test_long_outage_does_not_count_a_skipped_run_again(
    rig_without_worker: PatternRig, schedule: str
) -> None:
    """So many ticks that whole days are counted."""
    rig = rig_without_worker
    cron, [skipped] = await daily(rig, hours=30)
    patch: CronPatch = {"cronspec": "* * * * *", "catch_up": CatchUpPolicy.LATEST}
    if schedule == "interval":
        start = skipped - timedelta(hours=2)
        patch = {"interval_ms": MINUTE, "start_at": start, "catch_up": CatchUpPolicy.LATEST}
    first = (await update(rig, cron.id, patch)).next_run_time
    await rig.engine.advance(4 * 24 * HOUR)
    await update(rig, cron.id, {"args": {"name": "decided"}})
    found = await rig.find_one("crons", _id=cron.id)
    planned = (found["undecided"]["after"] - first) // INTERVAL + 1
    counts = found["tickCounts"]
    assert sum(counts.values()) == planned  # the skipped one is counted once
    assert counts["skipped"] == 1


async def test_run_that_was_skipped_can_be_backfilled(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron, [skipped] = await daily(rig)
    await rig.engine.advance(8 * HOUR)
    period = TickPeriod(skipped, skipped + INTERVAL)
    done = await rig.run_mutation(lambda ctx: backfill_cron(ctx, cron.id, period))
    assert (done.started, done.already_ran) == (1, 0)


async def test_next_run_to_skip_is_the_first_that_the_calendar_allows(
    rig_without_worker: PatternRig,
) -> None:
    """Admins may change the calendar later, so its days are not decided ahead of time."""
    rig = rig_without_worker
    cron, _ = await daily(rig, skips=0)
    first = cron.next_run_time
    holiday = NewCalendar(name="holidays", dates=(first.date(),))
    await rig.run_mutation(lambda ctx: create_calendar(ctx, holiday), None)
    await update(rig, cron.id, {"exclusions": Exclusions(calendar="holidays")})
    await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))
    assert await outcomes(rig, cron) == [REQUESTED]
    await rig.engine.advance(54 * HOUR)  # excluded, skipped, and one to run
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    excluded = (TickOutcome.SKIPPED, TickReason.EXCLUDED, 1)
    assert await outcomes(rig, cron) == [REQUESTED, excluded, (TickOutcome.RAN, None, 1)]
    [run] = await rig.jobs(RUN)
    [*_, record] = await ticks_of(rig, cron)
    assert (record.job_id, record.scheduled_time) == (run.id, first + timedelta(days=2))


async def test_number_of_runs_that_are_skipped_ahead_is_limited(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron, _ = await daily(rig, skips=0)
    many = [datetime(2090, 1, 1) + timedelta(days=n) for n in range(MAX_SKIPPED)]  # noqa: DTZ001
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": {"skippedTimes": many}})
    with pytest.raises(PreconditionFailed, match="100 runs of the cron are skipped already"):
        await skip(rig, cron)
    past = [datetime(2020, 1, 1) + timedelta(days=n) for n in range(MAX_SKIPPED)]  # noqa: DTZ001
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": {"skippedTimes": past}})
    at = await skip(rig, cron)
    assert (await rig.find_one("crons", _id=cron.id))["skippedTimes"] == [at]


async def test_end_that_is_moved_does_not_restore_a_skipped_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    at = await rig.engine.now() + timedelta(minutes=1, seconds=30)
    cron = await register(rig, end_at=at, cronspec="* * * * *", interval_ms=None)
    while (await rig.find_one("crons", _id=cron.id))["enabled"]:
        skipped = await skip(rig, cron)
    patch: CronPatch = {"end_at": at + timedelta(hours=1), "enabled": True}
    changed = await rig.run_mutation(partial(update_cron, cron_id=cron.id, patch=patch))
    assert changed.next_run_time == skipped + INTERVAL
