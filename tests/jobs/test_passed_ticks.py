"""Passed ticks: counted without a walk, equal to those that a walk finds."""

import time
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.jobs import passed_ticks as module
from ostinato.jobs.passed_ticks import (
    MAX_NEWEST,
    PassedTicks,
    TickRange,
    next_runnable,
    passed_ticks,
)
from ostinato.jobs.planned_ticks import PlannedTick, TickNote, planned_ticks
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import NO_DAYS, DateRange, ExcludedDays, FoldPolicy, GapPolicy

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"),
    *("Africa/Casablanca", "America/Havana", "Pacific/Chatham", "Asia/Kathmandu"),
)
SPECS = ("* * * * *", "*/7 1-3 * * *", "30 2 * * *", "0 */2 * * 1-5", "5,35 0,23 * * *")
SECONDLY = CronSchedule(cronspec="* * * * * *", tz="Europe/Berlin")
HOLIDAYS = ExcludedDays(frozenset({date(2026, 3, 29), date(2026, 10, 25)}), (), frozenset({5, 6}))


def walked(
    schedule: Schedule, after: datetime, until: datetime, excluded: ExcludedDays
) -> PassedTicks:
    """Find the same by walking through every tick."""
    ticks = list(takewhile(lambda t: t.due <= until, planned_ticks(schedule, after, excluded)))

    def range_of(chosen: list[PlannedTick]) -> TickRange | None:
        return TickRange(len(chosen), chosen[0].due, chosen[-1].due) if chosen else None

    return PassedTicks(
        runnable=range_of([tick for tick in ticks if tick.runs]),
        newest=tuple(tick.due for tick in ticks if tick.runs)[-MAX_NEWEST:],
        excluded=range_of([tick for tick in ticks if tick.note is TickNote.EXCLUDED]),
        not_existing=range_of([tick for tick in ticks if tick.note is TickNote.SKIPPED]),
        reached=ticks[-1].due if ticks else after,
    )


schedules = st.one_of(
    st.builds(
        CronSchedule,
        cronspec=st.sampled_from(SPECS),
        tz=st.sampled_from(ZONES),
        on_gap=st.sampled_from(GapPolicy),
        on_fold=st.sampled_from(FoldPolicy),
    ),
    st.builds(IntervalSchedule, ms=st.integers(400_000, 90_000_000), tz=st.sampled_from(ZONES)),
)
exclusions = st.sampled_from(
    (
        NO_DAYS,
        HOLIDAYS,
        ExcludedDays(frozenset(), (DateRange(first=date(2026, 3, 1), last=date(2026, 9, 1)),)),
    )
)


@settings(max_examples=60, deadline=None)
@given(
    schedules,
    exclusions,
    st.integers(0, 365 * 86_400),
    st.integers(0, 40 * 86_400_000),
    st.lists(st.integers(0, 300), max_size=3),
)
def test_counting_by_days_finds_what_a_walk_finds(
    schedule: Schedule, excluded: ExcludedDays, start_s: int, length_ms: int, skipped: list[int]
) -> None:
    after = START + timedelta(seconds=start_s)
    until = after + timedelta(milliseconds=length_ms)
    if skipped:
        planned = [tick.due for tick in islice(planned_ticks(schedule, after), 301)]
        excluded = excluded.with_skipped(planned[n] for n in skipped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_WALKED", 0)
        found = passed_ticks(schedule, after, until, excluded)
    assert found == walked(schedule, after, until, excluded)
    assert found == passed_ticks(schedule, after, until, excluded)


def test_a_year_of_seconds_is_counted_exactly_in_less_than_a_few_seconds() -> None:
    began = time.process_time()
    found = passed_ticks(SECONDLY, START, START + YEAR)
    assert found.runnable == TickRange(365 * 86_400, START + timedelta(seconds=1), START + YEAR)
    assert found.newest == tuple(START + YEAR - timedelta(seconds=n) for n in range(500, -1, -1))
    assert time.process_time() - began < 5  # 0.5 s


def test_a_day_of_half_minutes_is_counted_in_less_than_200_ms() -> None:
    every_two_seconds = CronSchedule(cronspec="*/2 * * * * *", tz="Europe/Berlin")
    began = time.process_time()
    found = passed_ticks(every_two_seconds, START, START + timedelta(days=1))
    assert found.runnable is not None
    assert found.runnable.count == 43_200
    assert time.process_time() - began < 2  # 0.1 s


def test_newest_ticks_before_a_long_exclusion_are_found() -> None:
    excluded = ExcludedDays(
        frozenset(), (DateRange(first=date(2026, 2, 1), last=date(2026, 11, 30)),)
    )
    found = passed_ticks(SECONDLY, START, datetime(2026, 11, 1, tzinfo=UTC), excluded)
    assert found.newest[-1] == datetime(2026, 1, 31, 22, 59, 59, tzinfo=UTC)
    assert found.excluded is not None
    assert found.excluded.last == found.reached == datetime(2026, 11, 1, tzinfo=UTC)


def test_next_runnable_tick_skips_a_long_exclusion() -> None:
    excluded = ExcludedDays(
        frozenset(), (DateRange(first=date(2026, 1, 1), last=date(2027, 5, 31)),)
    )
    midnight = datetime(2027, 5, 31, 22, tzinfo=UTC)
    assert next_runnable(SECONDLY, START, excluded) == midnight
    every_7_s = IntervalSchedule(ms=7_000, tz="Europe/Berlin")
    found = next_runnable(every_7_s, START, excluded)
    assert midnight <= found < midnight + timedelta(seconds=7)
    assert (found - START) % timedelta(seconds=7) == timedelta(0)


def test_without_a_day_that_is_not_excluded_the_next_tick_is_far_away() -> None:
    found = next_runnable(SECONDLY, START, ExcludedDays(frozenset(), (), frozenset(range(7))))
    assert found.year >= START.year + 50
