"""Cronspecs: parsing, and the days and times of day that match. No I/O.

**Day of month and day of week.** If neither field begins with `*`, a day matches if either
field does; otherwise both must match. See crontab(5) of vixie-cron 3.0pl1 (Debian).

croniter parses the values. Because it reads `5-5` as the whole field, counts the steps of wrapped
ranges differently, and does not apply the rule above to `W` and `#`, each cronspec is first
rewritten as lists of values, one expression for each way in which a day can match.
"""

import re
from bisect import bisect_left
from calendar import SATURDAY, SUNDAY, monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from typing import Final

from croniter import CroniterError, croniter

from ostinato.jobs.cron_dialects import foreign_dialect
from ostinato.jobs.cron_fields import FIELDS, FieldError, ParsedField, parse_field

MAX_CRONSPEC_CHARS: Final = 200  # bounds the cost of a hostile list of values
MAX_YEARS: Final = 50  # 29 February falls on a given weekday at least every 40 years

EXPECTED_FORMAT: Final = (
    "use five fields (minute hour day month weekday), six with seconds first, "
    "or @hourly, @daily, @weekly, @monthly, @yearly"
)
SHORTHANDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _SECOND = range(6)  # croniter's order
_VALIDATED_FROM: Final = date(2024, 1, 1)
_MINUTES: Final = tuple(timedelta(minutes=minute) for minute in range(24 * 60))
_SECONDS: Final = tuple(timedelta(seconds=second) for second in range(60))
_SEPARATORS: Final = re.compile(r"[ \t]+")


class NeverFires(ValueError):
    """A cronspec whose date does not exist."""


@dataclass(frozen=True, slots=True)
class _DayRule:
    """The days of a month that match both day fields of one expression."""

    days: frozenset[int]
    includes_last_day: bool
    near: frozenset[int]
    """The weekdays nearest to these days match; if not empty, instead of `days`."""
    weekdays: frozenset[int]
    """Sunday is 0."""
    nth: frozenset[tuple[int, int]]
    """Weekdays with their numbers in the month, 0 for the last; if any, instead of `weekdays`."""

    @classmethod
    def of(cls, parsed: croniter) -> "_DayRule":
        nth = {
            (int(weekday), 0 if str(number) == "l" else number)
            for weekday, numbers in parsed.nth_weekday_of_month.items()
            for number in numbers
        }
        return cls(
            days=frozenset(_values(parsed, _DAY, range(1, 32))),
            includes_last_day="l" in parsed.expanded[_DAY],
            near=frozenset(parsed.nearest_weekday),
            weekdays=frozenset(_values(parsed, _WEEKDAY, range(7))),
            nth=frozenset(nth),
        )

    def days_of(self, year: int, month: int) -> Iterator[int]:
        first_weekday, length = monthrange(year, month)
        days = self.days | {length} if self.includes_last_day else self.days
        if self.near:
            days = frozenset(_nearest_weekday(first_weekday, length, day) for day in self.near)
        if self.nth:
            days = days & frozenset(_nth_weekdays(first_weekday, length, self.nth))
        for day in days:
            if day <= length and (self.nth or (first_weekday + day) % 7 in self.weekdays):
                yield day


@dataclass(frozen=True, slots=True, eq=False)
class Cronspec:
    """A parsed cronspec. Cached and shared."""

    expressions: tuple[str, ...]
    """What croniter has parsed. A day matches if it matches one of them; they differ in the fields
    of days only."""
    day_rules: tuple[_DayRule, ...]
    """One of each expression."""
    months: tuple[int, ...]
    follows_wall_clock: bool
    """Whether the minute or the hour begins with `*`: then no run is moved when clocks change."""
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def next_day(self, day: date) -> date:
        """Return the first matching day, `day` or later; raises NeverFires."""
        year, first = day.year, day.month
        if first in self.months:
            days = _days(self, year, first)
            if days and days[-1] >= day.day:
                return date(year, first, days[bisect_left(days, day.day)])
        for later in range(year, year + MAX_YEARS + 1):
            for month in self.months:
                if (later > year or month > first) and (days := _days(self, later, month)):
                    return date(later, month, days[0])
        raise NeverFires

    def times_of_day(self, start: timedelta) -> Iterator[timedelta]:
        """Yield the matching times, `start` or later, as durations since 00:00 local time."""
        first_minute = start // _MINUTES[1]
        first_second = (start - _MINUTES[first_minute]) // _SECONDS[1]
        for minute in self._minutes_of_day(first_minute):
            time = _MINUTES[minute]
            for second in self.seconds:
                if second >= first_second or minute != first_minute:
                    yield time + _SECONDS[second]

    def _minutes_of_day(self, first: int) -> Iterator[int]:
        first_hour, first_minute = divmod(first, 60)
        for hour in self.hours[bisect_left(self.hours, first_hour) :]:
            start = bisect_left(self.minutes, first_minute) if hour == first_hour else 0
            for minute in self.minutes[start:]:
                yield hour * 60 + minute


@lru_cache(maxsize=16_384)
def _days(spec: Cronspec, year: int, month: int) -> tuple[int, ...]:
    """Return the matching days of a month that matches."""
    found = [*spec.day_rules[0].days_of(year, month)]
    for rule in spec.day_rules[1:]:
        found += rule.days_of(year, month)
    return tuple(sorted(set(found))) if len(found) > 1 else tuple(found)


def _nth_weekdays(first_weekday: int, length: int, nth: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Yield the days of a month with these weekdays and numbers, 0 for the last."""
    for weekday, number in nth:
        first = (weekday - first_weekday - 1) % 7 + 1
        yield first + 7 * (number - 1) if number else first + (length - first) // 7 * 7


def _nearest_weekday(first_weekday: int, length: int, day: int) -> int:
    """Return the day from Monday to Friday of the same month that is nearest to `day`."""
    near = min(day, length)
    weekday = (first_weekday + near - 1) % 7
    if weekday == SATURDAY:
        return near - 1 if near > 1 else near + 2
    if weekday == SUNDAY:
        return near + 1 if near < length else near - 2
    return near


@lru_cache(maxsize=4096)
def parse_cronspec(text: str) -> Cronspec:
    """Parse a stored cronspec; raises ValueError."""
    return _build(_parse(text, strict=False))


def cronspec_problem(text: str) -> str | None:
    """Return the problem with a cronspec and the allowed values; None if it is valid."""
    if len(text) > MAX_CRONSPEC_CHARS:
        return f"a cronspec has at most {MAX_CRONSPEC_CHARS} characters, got {len(text)}"
    return _problem(text)


@lru_cache(maxsize=4096)
def _problem(text: str) -> str | None:
    """Return the problem with a short text; takes up to 5 ms for rare dates."""
    try:
        _build(_parse(text, strict=True)).next_day(_VALIDATED_FROM)
    except NeverFires:
        return f"{text!r} never fires: there is no such date"
    except (CroniterError, FieldError) as error:
        return f"{text!r}: {foreign_dialect(text.strip(), _is_valid) or error}"
    return None


def _is_valid(text: str) -> bool:
    return _problem(text) is None


def _parse(text: str, *, strict: bool) -> list[ParsedField]:
    """Parse all fields, seconds first; raises FieldError."""
    text = text.strip()
    if text.startswith("@"):
        if text.lower() not in SHORTHANDS:
            raise FieldError(f"unknown shorthand; {EXPECTED_FORMAT}")
        text = SHORTHANDS[text.lower()]
    texts = _SEPARATORS.split(text) if text else []
    if len(texts) not in (5, 6):
        plural = "" if len(texts) == 1 else "s"
        raise FieldError(f"it has {len(texts)} field{plural}; {EXPECTED_FORMAT}")
    if len(texts) == 5:
        texts.insert(0, "0")
    return [
        parse_field(field, each, strict=strict) for field, each in zip(FIELDS, texts, strict=True)
    ]


def _build(fields: Sequence[ParsedField]) -> Cronspec:
    second, minute, hour, day, month, weekday = fields
    both = day.starts_with_star or weekday.starts_with_star
    days, weekdays = _alternatives(day), _alternatives(weekday)
    pairs = (
        [*product(days, weekdays)] if both else [*product(days, ["*"]), *product(["*"], weekdays)]
    )
    times, months = [_listed(each) for each in (minute, hour)], _listed(month)
    expressions = [
        " ".join((*times, one, months, other, _listed(second)))
        for one, other in dict.fromkeys(pairs)
    ]
    parsed = [croniter(each, 0.0) for each in expressions]
    return Cronspec(
        tuple(expressions),
        tuple(map(_DayRule.of, parsed)),
        months=_values(parsed[0], _MONTH, range(1, 13)),
        follows_wall_clock=minute.starts_with_star or hour.starts_with_star,
        hours=_values(parsed[0], _HOUR, range(24)),
        minutes=_values(parsed[0], _MINUTE, range(60)),
        seconds=_values(parsed[0], _SECOND, range(60)),
    )


def _listed(field: ParsedField) -> str:
    """Return the values of a field as croniter reads them."""
    return ",".join(map(str, field.numbers))


def _alternatives(field: ParsedField) -> list[str]:
    """Split a field of days into lists that croniter accepts: it does not mix `W` and `#`."""
    nearest = [each for each in field.special if each.endswith("w")]
    nth = [each for each in field.special if "#" in each or (each[0] == "l" and each != "l")]
    last = ["l"] if "l" in field.special else []
    plain = ",".join([*map(str, field.numbers), *last])
    return [*([plain] if plain else []), *nearest, *([",".join(nth)] if nth else [])]


def _values(parsed: croniter, field: int, everything: range) -> tuple[int, ...]:
    """Return the numbers of a field as croniter has parsed it."""
    values = parsed.expanded[field]
    if values == ["*"]:
        return tuple(everything)
    return tuple(int(value) for value in values if value != "l")
