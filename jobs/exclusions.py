"""Validates the exclusions of crons, and calendars. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final

from ostinato.jobs.cronspec import MAX_YEARS
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.json_values import find_text_problem
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.planned_ticks import SEARCHED, running_ticks
from ostinato.jobs.records import CronSchedule, IntervalSchedule, Schedule
from ostinato.jobs.time_rules import DateRange, ExcludedDays, Exclusions, Weekday

MAX_DATES: Final = 366  # of a cron; more belong in a calendar
MAX_RANGES: Final = 50
MAX_CALENDAR_DATES: Final = 2_000  # holidays of a century
MAX_CALENDAR_RANGES: Final = 500
MAX_DESCRIPTION_CHARS: Final = 500
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2999
_VALIDATED_FROM: Final = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCalendar:
    """The days of a calendar to create or replace."""

    name: str
    dates: tuple[date, ...] = ()
    ranges: tuple[DateRange, ...] = ()
    description: str | None = None


def exclusion_issues(exclusions: Exclusions) -> list[Issue]:
    """Return the issues of the exclusions in a cron's input."""
    return _within_exclusions(_exclusion_issues(exclusions))


def _exclusion_issues(exclusions: Exclusions) -> list[Issue]:
    issues = list(_day_issues(exclusions.dates, exclusions.ranges, (MAX_DATES, MAX_RANGES)))
    if len(set(exclusions.weekdays)) == len(Weekday):
        message = "weekdays excludes every day: pause the cron instead"
        issues.append(Issue(path=("weekdays",), message=message, code="never_runs"))
    if exclusions.calendar is not None:
        issues += _text_issues("calendar", exclusions.calendar, MAX_NAME_CHARS)
    return issues


def _within_exclusions(issues: Iterable[Issue]) -> list[Issue]:
    return [replace(issue, path=("exclusions", *issue.path)) for issue in issues]


def never_runs_issues(schedule: Schedule, exclusions: Exclusions) -> list[Issue]:
    """Return an issue if the exclusions leave no day of a valid schedule, at any time."""
    weekdays = ExcludedDays.of(Exclusions(weekdays=exclusions.weekdays))
    if isinstance(schedule, CronSchedule) and _leaves_none(schedule, weekdays):
        message = f"weekdays excludes every day of {schedule.cronspec!r}: it would never run"
        return _within_exclusions([Issue(path=("weekdays",), message=message, code="never_runs")])
    if _leaves_none(schedule, ExcludedDays.of(exclusions)):
        return list(never_runs().issues)
    return []


def never_runs() -> BadRequest:
    """Build the error for exclusions that leave no day."""
    message = f"exclusions leave no day in {MAX_YEARS} years: it would never run"
    return BadRequest.at("exclusions", message=message, code="never_runs")


def _leaves_none(schedule: Schedule, excluded: ExcludedDays) -> bool:
    if not excluded:
        return False
    if isinstance(schedule, IntervalSchedule):  # its phase is not known here
        return excluded.next_day(_VALIDATED_FROM.date()) - _VALIDATED_FROM.date() > SEARCHED
    return not [*islice(running_ticks(schedule, _VALIDATED_FROM, excluded), 1)]


def calendar_issues(new: NewCalendar) -> list[Issue]:
    """Return the issues of a calendar."""
    limits = (MAX_CALENDAR_DATES, MAX_CALENDAR_RANGES)
    issues = [*_text_issues("name", new.name, MAX_NAME_CHARS)]
    issues += _day_issues(new.dates, new.ranges, limits)
    if new.description is not None:
        issues += _text_issues("description", new.description, MAX_DESCRIPTION_CHARS)
    return issues


def _text_issues(name: str, text: str, max_chars: int) -> Iterator[Issue]:
    if not 1 <= len(text) <= max_chars:
        message = f"{name} must have 1 to {max_chars} characters, got {len(text)}"
        yield Issue(path=(name,), message=message, code="length")
    elif problem := find_text_problem(text):
        yield Issue(path=(name,), message=f"{name}: {problem.message}", code=problem.code)


def _day_issues(
    dates: Sequence[date], ranges: Sequence[DateRange], limits: tuple[int, int]
) -> Iterator[Issue]:
    for name, given, limit in zip(("dates", "ranges"), (dates, ranges), limits, strict=True):
        if len(given) > limit:
            message = f"{name} has at most {limit:,} entries, got {len(given):,}"
            yield Issue(path=(name,), message=message, code="too_long")
    for n, day in enumerate(dates[: limits[0]]):
        yield from _year_issues(("dates", n), day)
    for n, each in enumerate(ranges[: limits[1]]):
        yield from _year_issues(("ranges", n, "first"), each.first)
        yield from _year_issues(("ranges", n, "last"), each.last)
        if each.last < each.first:
            message = f"last must not be before first, {each.first}, got {each.last}"
            yield Issue(path=("ranges", n, "last"), message=message, code="too_small")


def _year_issues(path: tuple[str | int, ...], day: date) -> Iterator[Issue]:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = f"a date must be in the years {FIRST_YEAR} to {LAST_YEAR}, got {day}"
        yield Issue(path=path, message=message, code="out_of_range")
