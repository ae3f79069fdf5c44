"""Cronspecs on the days on which clocks change, in each policy, and on excluded days."""

from datetime import UTC, date, datetime
from itertools import islice, pairwise

import pytest

from ostinato.jobs.planned_ticks import PlannedTick, planned_ticks
from ostinato.jobs.records import CronSchedule, IntervalSchedule
from ostinato.jobs.schedules import ticks
from ostinato.jobs.time_rules import (
    NO_DAYS,
    DateRange,
    ExcludedDays,
    Exclusions,
    FoldPolicy,
    GapPolicy,
    Weekday,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(
    schedule: CronSchedule | IntervalSchedule,
    after: str,
    count: int,
    excluded: ExcludedDays = NO_DAYS,
) -> list[str]:
    """Return ticks as `UTC time, local time, note`, without the year."""
    found = islice(planned_ticks(schedule, utc(after), excluded), count)
    return [" ".join(filter(None, (shown(each), each.note))) for each in found]


def shown(tick: PlannedTick) -> str:
    return f"{tick.due:%m-%dT%H:%M} {tick.local:%H:%M}"


@pytest.mark.parametrize(
    ("spec", "tz", "after", "expected"),
    [
        ("*/5 0-3 * * *", "America/New_York", "2026-11-01T05:55", "06:00 06:05 06:10 06:15 06:20"),
        ("*/5 0-3 * * *", "America/New_York", "2026-11-01T06:50", "06:55 07:00 07:05 07:10"),
        ("* 8-23,0-1 * * *", "America/Los_Angeles", "2026-11-01T08:58", "08:59 09:00 09:01"),
        ("30 */2 * * *", "America/New_York", "2026-03-08T05:00", "05:30 08:30 10:30"),
        ("0 */3 * * *", "Pacific/Apia", "2020-04-04T12:00", "13:00 14:00 17:00"),
        (
            "*/20 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:00",
            "00:20 00:40 01:00 01:20 01:40 01:00",
        ),
        ("0 0-23 * * *", "Europe/Berlin", "2026-10-24T23:30", "00:00 02:00 03:00"),
        ("@hourly", "Europe/Berlin", "2026-10-24T23:30", "00:00 01:00 02:00"),
        ("@hourly", "Europe/Berlin", "2026-03-28T23:30", "00:00 01:00 02:00"),
        ("* * * * * *", "Europe/Berlin", "2026-03-29T00:59:58", "00:59 01:00 01:00"),
    ],
)
def test_a_minute_or_hour_that_begins_with_a_star_follows_the_wall_clock(
    spec: str, tz: str, after: str, expected: str
) -> None:
    times = expected.split()
    found = islice(ticks(CronSchedule(cronspec=spec, tz=tz), utc(after)), len(times))
    assert [f"{tick:%H:%M}" for tick in found] == times


def test_fixed_times_of_a_gap_run_once_after_it_or_not_at_all() -> None:
    spec, eve = "15,45 2,3 * * *", "2026-03-28T12:00"
    moved = CronSchedule(cronspec=spec, tz="Europe/Berlin", on_gap=GapPolicy.NEXT)
    skipped = CronSchedule(cronspec=spec, tz="Europe/Berlin", on_gap=GapPolicy.SKIP)
    after_gap = ["03-29T01:15 03:15", "03-29T01:45 03:45", "03-30T00:15 02:15"]
    assert plan(moved, eve, 4) == ["03-29T01:00 02:15 moved", *after_gap]
    assert plan(skipped, eve, 4) == ["03-29T00:59 02:15 skipped", *after_gap]


def test_a_time_moved_to_another_run_is_one_run() -> None:
    schedule = CronSchedule(cronspec="0 2,3 * * *", tz="Europe/Berlin")
    found = plan(schedule, "2026-03-28T12:00", 2)
    assert found == ["03-29T01:00 02:00 moved", "03-30T00:00 02:00"]


@pytest.mark.parametrize(
    ("on_fold", "expected"),
    [
        (FoldPolicy.FIRST, ["10-25T00:30 02:30", "10-25T02:30 03:30"]),
        (FoldPolicy.LAST, ["10-25T01:30 02:30 repeated", "10-25T02:30 03:30"]),
        (FoldPolicy.BOTH, ["10-25T00:30 02:30", "10-25T01:30 02:30 repeated", "10-25T02:30 03:30"]),
    ],
)
def test_fixed_times_that_are_repeated_run_by_the_policy(
    on_fold: FoldPolicy, expected: list[str]
) -> None:
    schedule = CronSchedule(cronspec="30 2,3 * * *", tz="Europe/Berlin", on_fold=on_fold)
    assert plan(schedule, "2026-10-24T12:00", len(expected) + 1) == [*expected, "10-26T01:30 02:30"]


def test_policies_do_not_change_what_follows_the_wall_clock() -> None:
    schedule = CronSchedule(
        cronspec="30 */2 * * *",
        tz="Europe/Berlin",
        on_gap=GapPolicy.NEXT,
        on_fold=FoldPolicy.FIRST,
    )
    assert plan(schedule, "2026-03-29T00:00", 2) == [
        "03-29T00:59 02:30 skipped",
        "03-29T02:30 04:30",
    ]
    assert plan(schedule, "2026-10-25T00:00", 2) == [
        "10-25T00:30 02:30",
        "10-25T01:30 02:30 repeated",
    ]


def test_a_plan_can_be_continued_after_each_of_its_ticks() -> None:
    for spec in ("30 */2 * * *", "15 2 * * *", "* 0-4 * * *"):
        for on_gap in GapPolicy:
            schedule = CronSchedule(cronspec=spec, tz="Europe/Berlin", on_gap=on_gap)
            found = [*islice(planned_ticks(schedule, utc("2026-03-28T22:00")), 300)]
            for tick, following in pairwise(found):
                assert next(planned_ticks(schedule, tick.due)) == following


def test_a_whole_skipped_day_is_one_run() -> None:
    schedule = CronSchedule(cronspec="0 6,18 30 12 *", tz="Pacific/Apia")
    found = plan(schedule, "2011-12-01T00:00", 2)
    assert found == ["12-30T10:00 06:00 moved", "12-29T16:00 06:00"]


def test_ticks_on_excluded_days_are_planned_but_do_not_run() -> None:
    exclusions = Exclusions(
        dates=(date(2026, 5, 4),),
        ranges=(DateRange(first=date(2026, 5, 6), last=date(2026, 5, 7)),),
        weekdays=(Weekday.SATURDAY, Weekday.SUNDAY),
    )
    found = islice(
        planned_ticks(
            CronSchedule(cronspec="0 1 * * *", tz="Asia/Tokyo"),
            utc("2026-05-01T00:00"),
            ExcludedDays.of(exclusions),
        ),
        9,
    )
    assert [f"{each.local:%d}" for each in found if each.runs] == ["05", "08"]


def test_the_day_of_an_interval_is_that_of_its_time_zone() -> None:
    schedule = IntervalSchedule(ms=6 * 3_600_000, tz="Asia/Tokyo")
    excluded = ExcludedDays.of(Exclusions(dates=(date(2026, 5, 2),)))
    assert plan(schedule, "2026-05-01T09:00", 5, excluded) == [
        "05-01T15:00 00:00 excluded",
        "05-01T21:00 06:00 excluded",
        "05-02T03:00 12:00 excluded",
        "05-02T09:00 18:00 excluded",
        "05-02T15:00 00:00",
    ]


def test_an_excluded_time_in_a_gap_does_not_exclude_the_run_after_the_gap() -> None:
    schedule = CronSchedule(cronspec="0 0 * * *", tz="Pacific/Apia")
    skipped_day = ExcludedDays.of(Exclusions(dates=(date(2011, 12, 30),)))
    assert plan(schedule, "2011-12-30T00:00", 1, skipped_day) == ["12-30T10:00 00:00"]
    both = ExcludedDays.of(Exclusions(dates=(date(2011, 12, 30), date(2011, 12, 31))))
    assert plan(schedule, "2011-12-30T00:00", 1, both) == ["12-30T10:00 00:00 excluded"]
