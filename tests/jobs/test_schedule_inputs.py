"""Schedules from clients: accepted inputs, and the messages for invalid ones."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import CronSchedule, IntervalSchedule
from ostinato.jobs.schedules import MAX_INTERVAL_MS, next_run, parse_schedule
from ostinato.jobs.zone_names import ABBREVIATIONS, zone_names

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
        ("H * * * *", "'H * * * *': H is syntax of Jenkins for a value that differs between"),
        ("*/0 * * * *", "'*/0 * * * *': the minute step must be 1-60, got '0'"),
        ("*/90 * * * *", "'*/90 * * * *': the minute step must be 1-60, got '90'; for every 90 "),
        (
            "0 */36 * * *",
            "'0 */36 * * *': the hour step must be 1-24, got '36'; for every 36 hours",
        ),
        ("0 0 * * fri#6", "'0 0 * * fri#6': 'fri#6' is not a weekday; # takes 1-5 after a"),
        ("-5 * * * *", "'-5 * * * *': '-5' is not a minute; use a value, a range (1-5) or a"),
        ("* * * *", "'* * * *': it has 4 fields; use five fields (minute hour day month weekday)"),
        ("@fortnightly", "'@fortnightly': unknown shorthand; use five fields"),
        ("0 0 * Foo *", "'0 0 * Foo *': 'Foo' is not a month; use jan-dec or a number"),
        ("0 25 * * *", "'0 25 * * *': hour must be 0-23, got 25"),
        ("0 5x * * *", "'0 5x * * *': '5x' is not an hour; use 0-23"),
        ("0," * 100 + "0 * * * *", "a cronspec has at most 200 characters, got 209"),
    ],
)
def test_message_describes_the_problem_and_the_allowed_values(spec: str, problem: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_schedule(None, spec)
    assert str(raised.value).startswith(problem)


FOREIGN = {
    "0 15 10 ? * 6#3": "syntax of Quartz, whose weekdays are 1-7 from Sunday; here they are 0-6; "
    "write '15 10 * * 5#3'",
    "0 0 12 LW * ?": "write '0 12 31W * *'",
    "30 0 12 ? * MON-FRI *": "write '30 0 12 * * MON-FRI'",
    "0 0 12 1 1 ? 2030": "A year is not supported: use startAt and endAt",
    "0 9 ? * 1": "write '0 9 * * 0'",
    "0 9 * * 6L": "6L is syntax of Quartz; write L5",
    "0 9 LW * *": "write 31W for the last weekday of the month",
    "0 9 L-3 * *": "a number of days before the last is not supported",
    "@every 5m": "@every is syntax of Go; use intervalMs: 300000 instead",
    "@every 1h30m": "intervalMs: 5400000",
    "@every day": "@every is syntax of Go; use intervalMs instead",
    "@reboot": "schedule a job when your application starts",
    "@every_minute": "write '* * * * *'",
    "CRON_TZ=Asia/Tokyo 0 9 * * *": "use tz: 'Asia/Tokyo' and cronspec: '0 9 * * *'",
    "TZ=UTC @daily": "use tz: 'UTC' and cronspec: '@daily'",
    "cron(15 12 ? * MON-FRI *)": "cron() is syntax of AWS, whose weekdays are 1-7 from Sunday; "
    "here they are 0-6; write '15 12 * * MON-FRI'",
    "cron(0 10)": "cron() is syntax of AWS",
    "rate(5 minutes)": "rate() is syntax of AWS; use intervalMs: 300000 instead",
    "at(2030-01-01T00:00:00)": "schedule a job with runAt instead",
    "H/15 * * * *": "use jitterMs to spread runs",
    "0 H(0-7) * * *": "H is syntax of Jenkins",
    "daily": "syntax of systemd (OnCalendar); write '@daily'",
    "Mon..Fri *-*-* 09:00:00": "use cronspec: '0 9 * * mon-fri'",
    "*:0/15:30": "use cronspec: '30 0/15 * * * *'",
    "Sat *-*-1..7 18:00": "use cronspec: '0 18 1-7 * sat'",
    "Sun *-*-* 3:00 Europe/Berlin": "use cronspec: '0 3 * * sun', tz: 'Europe/Berlin'",
    "2030-01-01 10:00": "syntax of systemd (OnCalendar); write minute hour day month weekday",
}
"""Expressions of other programs, with a part of their messages."""


@pytest.mark.parametrize("spec", FOREIGN)
def test_message_for_another_dialect_names_it_and_says_how_to_write_it_here(spec: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_schedule(None, spec)
    assert str(raised.value).startswith(f"{spec!r}: ")
    assert FOREIGN[spec] in str(raised.value)


@pytest.mark.parametrize("spec", ["0 9 ? * 1", "0 9 * * ?", "*/90 * * * *", "0 */99 * * *"])
def test_expressions_of_earlier_versions_still_run(spec: str) -> None:
    assert issues(None, spec) == [("cronspec", "invalid_cronspec")]
    assert next_run(CronSchedule(cronspec=spec), NOW) > NOW


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


@pytest.mark.parametrize(
    ("tz", "advice"),
    [
        ("Europe/Berln", "such as 'Europe/Berlin'"),
        ("europe/berlin", "such as 'Europe/Berlin'"),
        ("Berlin", "such as 'Europe/Berlin'"),
        ("New York", "such as 'America/New_York'"),
        ("IST", "such as 'Asia/Kolkata', 'Europe/Dublin' or 'Asia/Jerusalem'"),
        ("PST", "such as 'America/Los_Angeles' or 'Asia/Manila'"),
        ("Z", "such as 'UTC'"),
        ("utc", "such as 'UTC'"),
        ("UTC+2", "or 'Etc/GMT-2' for a fixed offset"),
        ("-05:30", "use the IANA name of a place, such as 'Europe/Berlin'"),
        ("UTC+0", "use 'UTC'"),
        ("Eastern Standard Time", "such as 'America/New_York'"),
        ("Mars/Olympus", "such as 'Europe/Berlin' or 'UTC'"),
    ],
)
def test_error_for_an_unknown_time_zone_suggests_names(tz: str, advice: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(f"unknown time zone {tz!r}: ")) as raised:
        parse_schedule(None, "* * * * *", tz)
    assert str(raised.value).endswith(advice)


def test_every_suggested_time_zone_exists() -> None:
    assert {name for names in ABBREVIATIONS.values() for name in names} <= zone_names()


def test_all_issues_are_reported_together() -> None:
    found = issues(5, "never", "Nowhere")
    assert {name for name, _ in found} == {"intervalMs", "cronspec", "tz"}
