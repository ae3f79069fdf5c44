"""Schedules from clients: accepted inputs, and the messages for invalid ones."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import IntervalSchedule
from ostinato.jobs.schedules import MAX_INTERVAL_MS, next_run, parse_schedule

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


def issues(interval_ms: int | None, cronspec: str | None, tz: str = "UTC") -> list[tuple[str, str]]:
    with pytest.raises(BadRequest) as raised:
        parse_schedule(interval_ms, cronspec, tz)
    return [(str(issue.path[0]), issue.code) for issue in raised.value.issues]


@given(st.text(alphabet="0123456789*/,-#?@LWlwHR monjafeb", max_size=40) | st.text(max_size=300))
def test_any_text_is_a_valid_cronspec_or_reported_as_invalid(text: str) -> None:
    try:
        schedule = parse_schedule(None, text)
    except BadRequest:
        assert issues(None, text) == [("cronspec", "invalid_cronspec")]
    else:
        assert next_run(schedule, NOW) > NOW


def test_missing_schedule_is_an_error() -> None:
    with pytest.raises(BadRequest, match=r"^Either intervalMs or cronspec required$"):
        parse_schedule(None, None)
    assert issues(None, None) == [("intervalMs", "required"), ("cronspec", "required")]


def test_both_schedules_together_are_an_error() -> None:
    assert issues(1_000, "* * * * *") == [("intervalMs", "exclusive"), ("cronspec", "exclusive")]


@pytest.mark.parametrize("ms", [-1, 0, 999])
def test_interval_below_a_second_is_rejected(ms: int) -> None:
    assert issues(ms, None) == [("intervalMs", "too_small")]


def test_interval_above_five_years_is_rejected() -> None:
    assert issues(MAX_INTERVAL_MS + 1, None) == [("intervalMs", "too_big")]
    assert parse_schedule(MAX_INTERVAL_MS, None) == IntervalSchedule(ms=MAX_INTERVAL_MS)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* * * * * * *",
        "H H * * *",
        "R * * * *",
        "@reboot",
        "é * * * *",
        "0 0 29 2 1-7/99999999999999999999",
        "*/100 * * * *",
    ],
)
def test_invalid_cronspec_is_rejected(spec: str) -> None:
    assert issues(None, spec) == [("cronspec", "invalid_cronspec")]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("61 * * * *", "'61 * * * *': minute must be 0-59, got 61"),
        ("0 24 * * *", "'0 24 * * *': hour must be 0-23, got 24"),
        ("* 60 * * * *", "'* 60 * * * *': minute must be 0-59, got 60"),
        ("0 0 0 * *", "'0 0 0 * *': day of month must be 1-31, got 0"),
        ("0 0 1,2,32 * *", "'0 0 1,2,32 * *': day of month must be 1-31, got 32"),
        ("0 0 * 1-13 *", "'0 0 * 1-13 *': month must be 1-12, got 13"),
        ("0 0 * * 8", "'0 0 * * 8': weekday must be 0-7, got 8"),
        ("0 0 * foo *", "'0 0 * foo *': 'foo' is not a month; use jan-dec or a number"),
        ("noon * * * *", "'noon * * * *': 'noon' is not a minute; use 0-59"),
        ("H * * * *", "'H * * * *': 'H' is not a minute; use 0-59"),
        ("*/0 * * * *", "'*/0 * * * *': the minute step must be 1-60, got '0'"),
        ("*/90 * * * *", "'*/90 * * * *': the minute step must be 1-60, got '90'; for every 90 "),
        (
            "0 */36 * * *",
            "'0 */36 * * *': the hour step must be 1-24, got '36'; for every 36 hours",
        ),
        ("0 0 * * fri#6", "'0 0 * * fri#6': 'fri#6' is not a weekday; # takes 1-5 after a"),
        ("-5 * * * *", "'-5 * * * *': '-5' is not a minute; use a value, a range (1-5) or a"),
        ("* * * *", "'* * * *': it has 4 fields; use five fields (minute hour day month weekday)"),
        ("@reboot", "'@reboot': unknown shorthand; use five fields"),
        ("0," * 100 + "0 * * * *", "a cronspec has at most 200 characters, got 209"),
    ],
)
def test_message_describes_the_problem_and_the_allowed_values(spec: str, problem: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_schedule(None, spec)
    assert str(raised.value).startswith(problem)


def test_month_and_weekday_names_may_contain_h_and_r() -> None:
    parse_schedule(None, "0 0 * mar,apr thu,fri")


@pytest.mark.parametrize("spec", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"])
def test_cronspec_that_never_fires_is_rejected(spec: str) -> None:
    with pytest.raises(BadRequest, match="never fires: there is no such date"):
        parse_schedule(None, spec)


def test_too_long_cronspec_is_rejected_before_it_is_parsed() -> None:
    assert issues(None, "0," * 1_000_000 + "0 * * * *") == [("cronspec", "invalid_cronspec")]


@pytest.mark.parametrize("tz", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe"])
def test_invalid_time_zone_is_rejected(tz: str) -> None:
    assert issues(None, "* * * * *", tz) == [("tz", "invalid_time_zone")]


def test_error_for_a_mistyped_time_zone_suggests_the_nearest_name() -> None:
    with pytest.raises(BadRequest, match="'Europe/Berlin'"):
        parse_schedule(None, "* * * * *", "Europe/Berln")


def test_all_issues_are_reported_together() -> None:
    found = issues(5, "never", "Nowhere")
    assert {name for name, _ in found} == {"intervalMs", "cronspec", "tz"}
