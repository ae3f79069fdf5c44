"""Ticks of intervals and cronspecs, compared with an implementation that checks every minute."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ostinato.jobs.cronspec import cronspec_problem
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.schedules import (
    first_run,
    parse_schedule,
    ticks,
    with_jitter,
)
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from tests.jobs.cron_expressions import CLOCK_CHANGES, COMMON_DAYS, MINUTELY, SECONDLY
from tests.jobs.schedule_reference import Reference

NOW = datetime(2026, 5, 4, 10, 0, 30, 250_000, tzinfo=UTC)
DAY = timedelta(days=1)


def next_runs(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    return list(islice(ticks(schedule, after), count))


def runs(spec: str, tz: str, after: str, count: int = 3) -> list[str]:
    """Return runs after a UTC time, as UTC times of the form `03-29 01:00`."""
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = next_runs(CronSchedule(cronspec=spec, tz=tz), start, count)
    return [f"{run:%m-%d %H:%M}" for run in found]


@settings(max_examples=100)
@given(
    MINUTELY | COMMON_DAYS | COMMON_DAYS,
    CLOCK_CHANGES,
    st.integers(0, 2 * 86_400),
    st.sampled_from(GapPolicy),
    st.sampled_from(FoldPolicy),
)
def test_ticks_are_those_of_a_second_implementation_that_checks_every_minute(
    spec: str, change: tuple[str, str], offset_s: int, on_gap: GapPolicy, on_fold: FoldPolicy
) -> None:
    zone, day = change
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - DAY + timedelta(seconds=offset_s)
    end = start + 2 * DAY
    schedule = CronSchedule(cronspec=spec, tz=zone, on_gap=on_gap, on_fold=on_fold)
    assume(cronspec_problem(spec) is None)  # its date exists
    expected = Reference(spec, on_gap, on_fold).ticks(ZoneInfo(zone), start, end)
    assert [*takewhile(lambda tick: tick <= end, ticks(schedule, start))] == expected


@settings(max_examples=20)
@given(SECONDLY, CLOCK_CHANGES, st.integers(0, 86_400))
def test_ticks_with_seconds_are_those_of_a_second_implementation_that_checks_every_second(
    spec: str, change: tuple[str, str], offset_s: int
) -> None:
    zone, day = change
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=offset_s)
    end = start + timedelta(hours=2)
    assume(cronspec_problem(spec) is None)
    expected = Reference(spec).ticks(ZoneInfo(zone), start, end)
    schedule = CronSchedule(cronspec=spec, tz=zone)
    assert [*takewhile(lambda tick: tick <= end, ticks(schedule, start))] == expected


@given(MINUTELY | SECONDLY, CLOCK_CHANGES, st.integers(0, 2 * 86_400_000))
def test_next_runs_are_in_the_future_and_in_order(
    spec: str, change: tuple[str, str], offset_ms: int
) -> None:
    zone, day = change
    assume(cronspec_problem(spec) is None)
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - DAY
    start += timedelta(milliseconds=offset_ms)
    found = [start, *next_runs(CronSchedule(cronspec=spec, tz=zone), start, 20)]
    assert all(earlier < later for earlier, later in pairwise(found))


def test_skipped_local_time_fires_once_at_the_first_instant_after_the_gap() -> None:
    found = runs("15,30,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2)
    assert found == ["03-29 01:00", "03-30 00:15"]


def test_repeated_local_time_fires_only_the_first_time() -> None:
    found = runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2)
    assert found == ["10-25 00:30", "10-26 01:30"]


def test_repeated_local_time_does_not_fire_after_its_first_pass() -> None:
    assert runs("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", 1) == ["10-26 01:30"]


def test_minute_steps_keep_their_real_distance_when_clocks_go_back() -> None:
    found = runs("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59", 6)
    assert [time[6:] for time in found] == ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30"]


def test_minute_steps_keep_their_real_distance_when_clocks_go_forward() -> None:
    found = runs("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00", 4)
    assert [time[6:] for time in found] == ["00:30", "01:00", "01:30", "02:00"]


def test_daily_cronspec_fires_at_one_if_midnight_does_not_exist() -> None:
    assert runs("@daily", "America/Santiago", "2026-09-06T03:30", 1) == ["09-06 04:00"]


def test_an_optional_first_field_sets_the_seconds() -> None:
    schedule = parse_schedule(None, "*/20 * * * * *")
    found = next_runs(schedule, NOW, 3)
    assert [run.second for run in found] == [40, 0, 20]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("@hourly", "05-04 11:00"),
        ("@daily", "05-05 00:00"),
        ("@midnight", "05-05 00:00"),
        ("@weekly", "05-10 00:00"),
        ("@monthly", "06-01 00:00"),
        ("@yearly", "01-01 00:00"),
        ("0 9 * * MON-FRI", "05-05 09:00"),
        ("0 9 1 jun,Dec *", "06-01 09:00"),
        ("0 0 L * *", "05-31 00:00"),
        ("0 0 * * L5", "05-29 00:00"),
        ("0 0 * * fri#2", "05-08 00:00"),
        ("0 0 15W * *", "05-15 00:00"),
        ("0 0 13 * fri", "05-08 00:00"),
        ("0 0 * * 7", "05-10 00:00"),
        ("0 0 29 2 *", "02-29 00:00"),
    ],
)
def test_names_shorthands_and_last_days_are_supported(spec: str, expected: str) -> None:
    parse_schedule(None, spec)
    assert runs(spec, "UTC", "2026-05-04T10:00", 1) == [expected]


def test_interval_counts_from_the_scheduled_time() -> None:
    assert next_runs(IntervalSchedule(ms=1_500), NOW, 2) == [
        NOW + timedelta(milliseconds=1_500),
        NOW + timedelta(milliseconds=3_000),
    ]


def test_first_run_of_an_interval_is_at_its_start() -> None:
    start = NOW + timedelta(hours=2)
    assert first_run(IntervalSchedule(ms=60_000), NOW, start) == start


def test_interval_that_started_in_the_past_keeps_its_phase() -> None:
    start = NOW - timedelta(seconds=90)
    assert first_run(IntervalSchedule(ms=60_000), NOW, start) == NOW + timedelta(seconds=30)


def test_interval_without_a_start_counts_from_now() -> None:
    assert first_run(IntervalSchedule(ms=60_000), NOW) == NOW + timedelta(seconds=60)


def test_first_run_of_a_cronspec_may_be_at_its_start() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert first_run(CronSchedule(cronspec="@daily"), NOW, start) == start


def test_cronspec_that_started_in_the_past_fires_after_now() -> None:
    schedule = CronSchedule(cronspec="@daily")
    assert first_run(schedule, NOW, NOW - DAY) == datetime(2026, 5, 5, tzinfo=UTC)


@given(st.integers(0, 86_400_000))
def test_jitter_is_bounded_and_the_same_for_the_same_tick(jitter_ms: int) -> None:
    moved = with_jitter("6a0000000000000000000000", NOW, jitter_ms)
    assert NOW <= moved <= NOW + timedelta(milliseconds=jitter_ms)
    assert moved == with_jitter("6a0000000000000000000000", NOW, jitter_ms)


def test_jitter_differs_between_ticks() -> None:
    due = [NOW + timedelta(minutes=minute) for minute in range(20)]
    assert len({with_jitter("a", time, 60_000) - time for time in due}) > 10
