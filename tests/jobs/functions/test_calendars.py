"""Calendars in the engine: the days that they have when a tick is due decide."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ostinato.jobs.cron_ledger import TickOutcome, TickReason
from ostinato.jobs.errors import BadRequest, PreconditionFailed
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.functions.calendars import create_calendar, delete_calendar, replace_calendar
from ostinato.jobs.functions.cron_changes import update_cron
from ostinato.jobs.functions.crons import delete_cron
from ostinato.jobs.records import Cron, OverlapPolicy
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions, Weekday
from tests.jobs.functions.pattern_rig import DAY, PatternRig
from tests.jobs.functions.test_cron_ledger import execute, outcomes
from tests.jobs.functions.test_crons import register

ON_HOLIDAYS = Exclusions(calendar="holidays")
RAN = (TickOutcome.RAN, None, 1)
EXCLUDED = (TickOutcome.SKIPPED, TickReason.EXCLUDED, 1)


async def create(rig: PatternRig, *days: date) -> None:
    new = NewCalendar(name="holidays", dates=days)
    await rig.run_mutation(lambda ctx: create_calendar(ctx, new), owner=None)


async def replace(rig: PatternRig, *days: date) -> None:
    new = NewCalendar(name="holidays", dates=days)
    await rig.run_mutation(lambda ctx: replace_calendar(ctx, new), owner=None)


async def daily(rig: PatternRig, exclusions: Exclusions = ON_HOLIDAYS) -> tuple[Cron, date]:
    """Register a cron for 12:00, and return it with the day of its next tick."""
    now = await rig.engine.now()
    noon = datetime(now.year, now.month, now.day, 12, tzinfo=UTC)
    following = noon if now < noon else noon + timedelta(days=1)
    cron = await register(
        rig, cronspec="0 12 * * *", exclusions=exclusions, overlap=OverlapPolicy.ALLOW
    )
    return cron, following.date()


async def test_a_day_added_to_a_calendar_is_excluded_at_once(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    await create(rig)
    cron, day = await daily(rig)
    await replace(rig, day)
    await execute(rig, cron, DAY)
    assert await outcomes(rig, cron) == [EXCLUDED]
    assert await rig.jobs("tasks.runTask") == []
    await execute(rig, cron, DAY)
    assert await outcomes(rig, cron) == [EXCLUDED, RAN]


async def test_a_day_removed_from_a_calendar_is_not_excluded_any_more(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    today = (await rig.engine.now()).date()
    await create(rig, *(today + timedelta(days=n) for n in range(30)))
    cron, _ = await daily(rig)
    await replace(rig)
    await execute(rig, cron, DAY)
    assert await outcomes(rig, cron) == [RAN]


async def test_excluded_weekdays_are_recorded_when_the_next_tick_runs(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    tomorrow = (await rig.engine.now()).date() + timedelta(days=1)
    all_others = [day for n, day in enumerate(Weekday) if n != tomorrow.weekday()]
    cron, _ = await daily(rig, Exclusions(weekdays=tuple(all_others)))
    assert cron.next_run_time.date() == tomorrow
    await execute(rig, cron, 2 * DAY)
    await execute(rig, cron, 7 * DAY)
    found = await outcomes(rig, cron)
    assert [entry[0] for entry in found].count(TickOutcome.RAN) == 2
    assert {entry[1] for entry in found} == {None, TickReason.EXCLUDED}


async def test_a_calendar_without_a_document_excludes_nothing(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    await create(rig)
    cron, day = await daily(rig)
    await replace(rig, day)
    await rig.engine.mongo["calendars"].update_one({}, {"$set": {"dates": [5]}})  # malformed
    await execute(rig, cron, DAY)
    await rig.engine.mongo["calendars"].delete_many({})
    await execute(rig, cron, DAY)
    assert await outcomes(rig, cron) == [RAN, RAN]


async def test_exclusions_of_a_cron_are_changed_and_removed(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron, day = await daily(rig, NO_EXCLUSIONS)
    only = Exclusions(dates=(day,))
    changed = await rig.run_mutation(lambda ctx: update_cron(ctx, cron.id, {"exclusions": only}))
    assert (changed.exclusions, changed.next_run_time.date() - day) == (only, timedelta(days=1))
    with pytest.raises(BadRequest, match="there is no calendar 'holidays'"):
        await rig.run_mutation(lambda ctx: update_cron(ctx, cron.id, {"exclusions": ON_HOLIDAYS}))
    removed = await rig.run_mutation(
        lambda ctx: update_cron(ctx, cron.id, {"exclusions": NO_EXCLUSIONS})
    )
    assert (removed.exclusions, removed.next_run_time.date()) == (NO_EXCLUSIONS, day)


async def test_a_calendar_can_be_deleted_when_no_cron_uses_it(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    await create(rig)
    cron, _ = await daily(rig)
    with pytest.raises(PreconditionFailed, match="1 cron excludes its days"):
        await rig.run_mutation(lambda ctx: delete_calendar(ctx, "holidays"), owner=None)
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    await rig.run_mutation(lambda ctx: delete_calendar(ctx, "holidays"), owner=None)
    assert await rig.all("calendars") == []
