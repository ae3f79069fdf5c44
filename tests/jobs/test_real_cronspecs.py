"""Cronspecs of public repositories, beside changes of the clocks in seven zones."""

import csv
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from ostinato.jobs.cronspec import cronspec_problem, parse_cronspec
from ostinato.jobs.records import CronSchedule
from ostinato.jobs.schedules import ticks
from tests.jobs.schedule_reference import Reference, matches_day

HOUR: Final = timedelta(hours=1)
with (Path(__file__).parent / "real_cronspecs.csv").open(newline="") as file:
    ROWS: Final = list(csv.DictReader(file))
REFUSED: Final = {
    "0 0 0 * *": "day of month must be 1-31, got 0",
    "0 0 31 2 *": "never fires: there is no such date",
    "0 0 30 2 *": "never fires: there is no such date",
}
"""Those that no cron runs. docs/crons.md lists other differences, which none of these shows."""
SPECS: Final = [row["cronspec"] for row in ROWS if row["cronspec"] not in REFUSED]
CHANGES: Final = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Santiago", "2026-04-05T03:00"),
    ("America/Santiago", "2026-09-06T04:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Africa/Casablanca", "2026-03-22T02:00"),
    ("Pacific/Apia", "2020-04-04T14:00"),
    ("Pacific/Apia", "2020-09-26T14:00"),
    ("America/St_Johns", "2006-04-02T03:31"),
    ("America/St_Johns", "2006-10-29T02:31"),
]
"""Zones with the instants at which their clocks change in both directions."""


def test_the_expressions_are_many_and_have_a_source() -> None:
    assert len({row["cronspec"] for row in ROWS}) >= 300
    assert {row["kind"] for row in ROWS} == {"crontab", "github-actions", "kubernetes"}
    assert all(row["repository"].count("/") == 1 and row["path"] for row in ROWS)


def test_only_expressions_without_a_date_are_refused() -> None:
    problems = {row["cronspec"]: cronspec_problem(row["cronspec"]) for row in ROWS}
    refused = {spec: problem for spec, problem in problems.items() if problem}
    assert refused.keys() == REFUSED.keys()
    assert all(message in refused[spec] for spec, message in REFUSED.items())


@pytest.mark.parametrize(("tz", "change"), CHANGES)
def test_real_cronspecs_agree_with_the_second_implementation_beside_a_change(
    tz: str, change: str
) -> None:
    start = datetime.fromisoformat(change).replace(tzinfo=UTC) - 2 * HOUR
    end = start + 4 * HOUR
    for spec in SPECS:
        found = ticks(CronSchedule(cronspec=spec, tz=tz), start)
        expected = Reference(spec).ticks(ZoneInfo(tz), start, end)
        assert [*takewhile(lambda tick: tick <= end, found)] == expected, spec


def test_real_cronspecs_agree_with_the_second_implementation_about_days() -> None:
    days = [date(2026, 1, 15) + timedelta(days=number) for number in range(70)]
    for spec in SPECS:
        parsed = parse_cronspec(spec)
        fields = Reference(spec).fields[3:]
        assert [day for day in days if parsed.next_day(day) == day] == [
            day for day in days if matches_day(*fields, day)
        ], spec
