"""The client's verbs for schedules: previews with clock changes and exclusions, and calendars."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ostinato import (
    BadRequest,
    Conflict,
    DateRange,
    Exclusions,
    FoldPolicy,
    GapPolicy,
    NotFound,
    Ostinato,
    PreconditionFailed,
    Weekday,
)
from ostinato.jobs.planned_ticks import TickNote
from ostinato.jobs.records import CronSchedule

EVE = datetime(2026, 3, 28, 12, tzinfo=UTC)


async def test_preview_applies_the_options_for_local_time(app: Ostinato) -> None:
    excluded = Exclusions(ranges=(DateRange(first=date(2026, 3, 30), last=date(2026, 3, 31)),))
    ticks = await app.preview_ticks(
        "30 2 * * *", tz="Europe/Berlin", start=EVE, count=4, exclusions=excluded
    )
    assert [tick.note for tick in ticks[:3]] == [TickNote.MOVED, *[TickNote.EXCLUDED] * 2]
    assert ticks[3].local == datetime(2026, 4, 1, 2, 30)  # noqa: DTZ001 (local time)
    [run] = await app.preview(
        "30 2 * * *", tz="Europe/Berlin", start=EVE, count=1, on_gap=GapPolicy.SKIP
    )
    assert run == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


async def test_preview_of_an_interval_starts_at_its_start(app: Ostinato) -> None:
    found = await app.preview(every=timedelta(hours=1), start=EVE, count=2)
    assert found == [EVE, EVE + timedelta(hours=1)]


async def test_instants_before_1970_are_rejected(app: Ostinato) -> None:
    early = datetime(1, 1, 1, tzinfo=UTC)
    with pytest.raises(BadRequest, match="startAt must not be before 1970, got 1"):
        await app.preview("@daily", start=early)
    with pytest.raises(BadRequest, match="startAt must not be before 1970, got 1"):
        await app.register_cron("n", cronspec="@daily", start_at=early)
    cron = await app.register_cron("n", cronspec="@daily")
    with pytest.raises(BadRequest, match="endAt must not be before 1970, got 1"):
        await app.update_cron(cron.id, end_at=early)


async def test_calendars_are_created_used_replaced_and_deleted(app: Ostinato) -> None:
    created = await app.create_calendar("holidays", [date(2030, 12, 25)], description="x")
    assert await app.calendars() == [created]
    with pytest.raises(Conflict):
        await app.create_calendar("holidays")
    exclusions = Exclusions(calendar="holidays", weekdays=(Weekday.SUNDAY,))
    cron = await app.register_cron(
        "n", cronspec="0 9 * * *", on_fold=FoldPolicy.BOTH, exclusions=exclusions
    )
    assert cron.exclusions == exclusions
    assert cron.schedule == CronSchedule(cronspec="0 9 * * *", on_fold=FoldPolicy.BOTH)
    with pytest.raises(PreconditionFailed, match="'n' of the system"):
        await app.delete_calendar("holidays")
    await app.update_cron(cron.id, exclusions=Exclusions())
    assert (await app.replace_calendar("holidays")).version == 2
    await app.delete_calendar("holidays")


async def test_wrong_calendars_and_exclusions_are_named(app: Ostinato) -> None:
    with pytest.raises(NotFound, match="there is no calendar 'x'"):
        await app.replace_calendar("x")
    with pytest.raises(BadRequest, match="name must have 1 to 200 characters, got 0"):
        await app.create_calendar("")
    with pytest.raises(BadRequest, match="there is no calendar 'x'"):
        await app.register_cron("n", cronspec="@daily", exclusions=Exclusions(calendar="x"))
    with pytest.raises(BadRequest, match=r"weekdays excludes every day of '0 9 [*] [*] 7'"):
        await app.preview("0 9 * * 7", exclusions=Exclusions(weekdays=(Weekday.SUNDAY,)))
    with pytest.raises(BadRequest, match="count must be 1 to 1,000"):
        await app.preview_ticks("@daily", count=0)
