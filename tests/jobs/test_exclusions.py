"""Excluded days: jumped over, whatever their number, by everything that looks for runs."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs import due_ticks
from ostinato.jobs import planned_ticks as module
from ostinato.jobs.cron_preview import RunPlan, compare_runs
from ostinato.jobs.cronspec import MAX_YEARS
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.passed_ticks import is_never, next_runnable
from ostinato.jobs.planned_ticks import PlannedTick, planned_ticks, running_ticks
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.schedules import with_jitter
from ostinato.jobs.time_rules import NO_DAYS, DateRange, ExcludedDays

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = date(2026, 1, 1)
SECONDLY = CronSchedule(cronspec="* * * * * *", tz="Europe/Berlin")
EVERY_SECOND = IntervalSchedule(ms=1_000, tz="Europe/Berlin")
EVER = ExcludedDays(frozenset(), (DateRange(first=date(1970, 1, 1), last=date(2999, 12, 31)),))
LEAP_DAYS = CronSchedule(cronspec="0 0 29 2 */6", tz="UTC")
FIVE_YEARS = IntervalSchedule(ms=5 * 365 * 86_400_000)

days = st.integers(0, 60).map(lambda number: FIRST + timedelta(days=number))
ranges = st.lists(st.builds(lambda a, b: DateRange(first=min(a, b), last=max(a, b)), days, days))


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PlannedTick]]:
    """Collect all ticks that are computed."""
    ticks: list[PlannedTick] = []

    def create(due: datetime, local: datetime, note: module.TickNote | None = None) -> PlannedTick:
        ticks.append(PlannedTick(due, local, note))
        return ticks[-1]

    monkeypatch.setattr(module, "PlannedTick", create)
    return iter([ticks])


@given(st.frozensets(days), ranges, st.frozensets(st.integers(0, 6), max_size=6), days)
def test_merged_ranges_have_the_same_days(
    dates: frozenset[date], given: list[DateRange], weekdays: frozenset[int], start: date
) -> None:
    excluded = ExcludedDays(dates, tuple(given), weekdays)

    def is_excluded(day: date) -> bool:
        within = any(each.first <= day <= each.last for each in given)
        return within or day in dates or day.weekday() in weekdays

    later = [start + timedelta(days=number) for number in range(200)]
    assert [day in excluded for day in later] == [is_excluded(day) for day in later]
    assert excluded.next_day(start) == next(day for day in later[1:] if not is_excluded(day))
    assert all(a.last < b.first for a, b in zip(excluded.ranges, excluded.ranges[1:], strict=False))


def test_no_day_is_left_after_the_last_one() -> None:
    assert ExcludedDays(weekdays=frozenset(range(7))).next_day(FIRST) == date.max
    to_the_end = ExcludedDays(frozenset(), (DateRange(first=FIRST, last=date.max),) * 2)
    assert to_the_end.next_day(FIRST) == date.max


@pytest.mark.parametrize("schedule", [SECONDLY, EVERY_SECOND])
def test_no_excluded_tick_is_walked_to_find_runs(
    schedule: Schedule, created: Iterator[list[PlannedTick]]
) -> None:
    ticks = next(created)
    assert list(running_ticks(schedule, START, EVER)) == []
    never = next_runnable(schedule, START, EVER)
    assert is_never(START, never)
    assert len(ticks) <= 2


def test_comparison_walks_no_excluded_tick(created: Iterator[list[PlannedTick]]) -> None:
    ticks = next(created)
    days = (DateRange(first=date(2026, 1, 2), last=date(2026, 12, 30)),)
    table = Timetable(schedule=SECONDLY, excluded=ExcludedDays(frozenset(), days), jitter_ms=500)
    plan = RunPlan(table=table, decided_until=START + timedelta(hours=22, minutes=59))
    before = RunPlan(
        table=Timetable(schedule=SECONDLY, excluded=EVER), decided_until=plan.decided_until
    )
    *_, changes = compare_runs(before, plan, datetime(2026, 12, 30, 23, 1, tzinfo=UTC))
    assert (changes.added_count, changes.truncated) == (59 + 60, True)
    assert len(ticks) <= 3 * changes.added_count


@pytest.mark.parametrize("schedule", [SECONDLY, EVERY_SECOND, LEAP_DAYS])
@pytest.mark.parametrize("excluded", [NO_DAYS, EVER])
def test_runs_end_with_the_dates_of_python(schedule: Schedule, excluded: ExcludedDays) -> None:
    late = datetime(module.LAST_YEAR + 1, 1, 10, tzinfo=UTC)
    assert list(running_ticks(schedule, late, excluded)) == []


@pytest.mark.parametrize("cronspec", ["0 0 29 2 */6", "0 0 29 2 */7"])
def test_rare_ticks_end_without_an_error(cronspec: str) -> None:
    schedule = CronSchedule(cronspec=cronspec)
    found = [tick.due for tick in islice(planned_ticks(schedule, START), 1_000)]
    assert found == list(running_ticks(schedule, START))
    assert 100 < len(found) < 1_000
    assert module.LAST_YEAR - MAX_YEARS < found[-1].year < module.LAST_YEAR + MAX_YEARS


def test_a_far_tick_after_an_exclusion_is_found() -> None:
    years = ExcludedDays(frozenset(), (DateRange(first=FIRST, last=date(2070, 12, 31)),))
    assert next_runnable(SECONDLY, START, years) == datetime(2070, 12, 31, 23, tzinfo=UTC)
    assert next_runnable(FIVE_YEARS, START, years).year == 2075


@pytest.mark.parametrize("cronspec", ["*/30 * * * *", "0 0,12 * * *"])
def test_delays_of_compared_runs_are_those_of_the_runs(
    monkeypatch: pytest.MonkeyPatch, cronspec: str
) -> None:
    skipped = frozenset({START + timedelta(hours=3), START + timedelta(hours=11)})
    excluded = ExcludedDays(frozenset(), (), frozenset({4, 6}), skipped)
    schedule = CronSchedule(cronspec=cronspec, tz="Europe/Berlin")
    table = Timetable(schedule=schedule, excluded=excluded, jitter_ms=86_400_000, cron_id="c")
    runs = RunPlan(table=table, decided_until=START).due_runs(START + timedelta(days=10))
    searches = Mock(side_effect=next_runnable)
    with monkeypatch.context() as patch:
        patch.setattr(due_ticks, "next_runnable", searches)
        found = list(runs)
    starts = [with_jitter("c", tick, longest_delay_ms) for tick, longest_delay_ms in found]
    assert starts == [table.start_of(tick) for tick, _ in found]
    assert 0 < searches.call_count <= 6  # two skipped ticks, and two days of the week twice
