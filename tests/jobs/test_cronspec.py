"""The grammar of cronspecs: which days and times each form means."""

from datetime import UTC, datetime
from itertools import islice
from typing import Final

import pytest
from croniter import CroniterBadDateError, croniter
from hypothesis import assume, given, settings

from ostinato.jobs.cronspec import cronspec_problem, parse_cronspec
from ostinato.jobs.records import CronSchedule
from ostinato.jobs.schedules import ticks
from tests.jobs.cron_expressions import MINUTELY, SECONDLY

START: Final = datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)


def runs(spec: str, count: int, form: str) -> list[str]:
    """Return the first runs from the start of 2026."""
    assert cronspec_problem(spec) is None
    found = islice(ticks(CronSchedule(cronspec=spec), START), count)
    return [format(tick, form) for tick in found]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("5-5 * * * *", "00:05 01:05"),
        ("59-59 * * * *", "00:59 01:59"),
        ("0 9-9 * * *", "09:00 09:00"),
        ("0-0 9-9/5 * * *", "09:00 09:00"),
        ("7-7,30 9 * * *", "09:07 09:30 09:07"),
        ("0 20-4/3 * * *", "02:00 20:00 23:00 02:00"),
        ("50-10/7 12 * * *", "12:04 12:50 12:57 12:04"),
        ("0 22-2 * * *", "00:00 01:00 02:00 22:00 23:00 00:00"),
        ("58-2/2 7 * * *", "07:00 07:02 07:58"),
        ("40/10 6 * * *", "06:40 06:50 06:40"),
        ("59/15 6 * * *", "06:59 06:59"),
        ("*/25 6 * * *", "06:00 06:25 06:50"),
        ("*/60 */24 * * *", "00:00 00:00"),
        ("05,5,5-6 6 * * *", "06:05 06:06 06:05"),
    ],
)
def test_times(spec: str, expected: str) -> None:
    times = expected.split()
    assert runs(spec, len(times), "%H:%M") == times


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("0 0 * * 1-1", "01-05 01-12 01-19"),
        ("0 0 * * mon-Mon", "01-05 01-12 01-19"),
        ("0 0 * 3-3 *", "03-01 03-02"),
        ("0 0 1 mar-MAR *", "03-01 03-01"),
        ("0 0 13-13 * *", "01-13 02-13"),
        ("0 0 * * 7-7", "01-04 01-11"),
        ("0 0 * * 0-7/7", "01-04 01-11"),
        ("0 0 * * 5-7", "01-02 01-03 01-04 01-09"),
        ("0 0 * * sat-sun", "01-03 01-04 01-10"),
        ("0 0 * * 1-7/2", "01-02 01-04 01-05 01-07 01-09"),
        ("0 0 * * fri-mon/2", "01-02 01-04 01-09"),
        ("0 0 1 nov-feb *", "01-01 02-01 11-01 12-01"),
        ("0 0 1 11-4/2 *", "01-01 03-01 11-01"),
        ("0 0 30-2/2 1 *", "01-01 01-30"),
        ("0 0 28-L 2 *", "02-28 02-28 02-28 02-29"),
    ],
)
def test_days_of_ranges(spec: str, expected: str) -> None:
    days = expected.split()
    assert runs(spec, len(days), "%m-%d") == days


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("0 9 13 * 5", "01-02 01-09 01-13 01-16"),
        ("0 9 13 * 0-6", "01-01 01-02 01-03"),
        ("0 9 1-31 * 5", "01-01 01-02 01-03"),
        ("0 9 15W * 1", "01-05 01-12 01-15 01-19"),
        ("0 9 1 * 1#1", "01-01 01-05 02-01 02-02"),
        ("0 9 L * L5", "01-30 01-31 02-27 02-28"),
        ("0 9 13 * L5", "01-13 01-30 02-13 02-27"),
        ("0 9 1,15W,L * fri#2", "01-01 01-09 01-15 01-31 02-01"),
        ("0 9 31 2 5", "02-06 02-13 02-20 02-27"),
        ("0 9 */2 * 5", "01-09 01-23 02-13"),
        ("0 9 * * 5#1,1#1,3", "01-02 01-05 01-07 01-14"),
        ("0 9 */10 * tue#2,L6", "01-31 08-11 10-31"),
        ("0 9 *,15W * 5", "01-02 01-09 01-16"),
        ("0 9 *,13 * fri", "01-02 01-09"),
        ("0 9 29 */12 1-5", "01-01 01-02 01-05"),
    ],
)
def test_a_day_matches_either_field_unless_one_begins_with_a_star(spec: str, expected: str) -> None:
    days = expected.split()
    assert runs(spec, len(days), "%m-%d") == days


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("0 9 1W * *", "01-01 02-02 03-02 04-01 05-01 06-01 07-01 08-03"),
        ("0 9 15w,W16 8 *", "08-14 08-17"),
        ("0 9 31W * *", "01-30 02-27 03-31 04-30 05-29"),
        ("0 9 L * *", "01-31 02-28 03-31 04-30"),
        ("0 9 30,L * *", "01-30 01-31 02-28"),
        ("0 9 * * L7", "01-25 02-22"),
        ("0 9 * * mon-wed#5", "03-30 03-31 04-29 06-29"),
        ("0 9 * * 6-0#1", "01-03 01-04 02-01 02-07"),
        ("0 9 * * SUN#5", "03-29 05-31"),
    ],
)
def test_last_nearest_and_numbered_days(spec: str, expected: str) -> None:
    days = expected.split()
    assert runs(spec, len(days), "%m-%d") == days


@settings(max_examples=100)
@given(MINUTELY | SECONDLY)
def test_ticks_in_utc_are_the_earliest_of_those_that_croniter_finds(spec: str) -> None:
    assume(cronspec_problem(spec) is None)
    after = START
    for tick in islice(ticks(CronSchedule(cronspec=spec), START), 20):
        expressions = parse_cronspec(spec).expressions
        assert tick == min(filter(None, (next_of_croniter(each, after) for each in expressions)))
        after = tick


def next_of_croniter(expression: str, after: datetime) -> datetime | None:
    """Return the next match of an expression with the seconds last; None if there is none."""
    try:
        found: datetime = croniter(expression, after, day_or=False).get_next(datetime)
    except CroniterBadDateError:
        return None
    return found
