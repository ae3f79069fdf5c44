"""A second implementation of cronspecs, which decides for each minute or second whether it matches.

It follows cron.c and entry.c of vixie-cron 3.0pl1 (Debian): the flags of fields that begin with
`*`, and a virtual time that lags behind or is ahead of the clock after a change. What vixie-cron
does not have is decided value by value: wrapped ranges, `N/step`, `L`, `W` and `#`.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
HOUR, LONGEST_CHANGE_H = timedelta(hours=1), 3  # of those that repeat local times
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Reference:
    """A cronspec with its policies for clock changes, `next`/`skip` and `first`/`last`/`both`."""

    def __init__(self, spec: str, on_gap: str = "next", on_fold: str = "first") -> None:
        fields = SHORTHANDS.get(spec.lower(), spec).lower().split()
        self.step = SECOND if len(fields) == 6 else MINUTE
        self.fields = tuple(fields if len(fields) == 6 else ["0", *fields])
        self.wild = self.fields[1][0] == "*" or self.fields[2][0] == "*"
        self.on_gap, self.on_fold = on_gap, on_fold

    def matches(self, local: datetime) -> bool:
        """Return whether a local time matches all fields."""
        second, minute, hour, *days = self.fields
        return (
            has(minute, local.minute, 0, 59)
            and has(hour, local.hour, 0, 23)
            and has(second, local.second, 0, 59)
            and matches_day(*days, local.date())
        )

    def ticks(self, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
        """Find the ticks in (after, until]; local times change by whole steps."""
        now = after.replace(microsecond=0, second=0 if self.step == MINUTE else after.second)
        clock = now - lookback(zone, now)  # what happened before decides what is repeated
        virtual, found = to_local(clock, zone), []
        while (clock := clock + self.step) <= until:
            local = to_local(clock, zone)
            if self.is_due(zone, local, virtual) and clock > after:
                found.append(clock)
            virtual = max(virtual, local.replace(fold=0))
        return found

    def is_due(self, zone: ZoneInfo, local: datetime, virtual: datetime) -> bool:
        """Decide by the clock's local time, and the latest one that it has reached before."""
        matches = self.matches(local)
        if not matches and local - virtual <= self.step:
            return False
        if self.wild or (local > virtual and not will_repeat(local, zone)):
            skipped = not self.wild and self.on_gap == "next" and self.skipped(virtual, local)
            return matches or skipped
        if local > virtual:  # the first pass of a time that will be repeated
            return matches and self.on_fold != "last"
        return matches and self.on_fold != "first"

    def skipped(self, virtual: datetime, local: datetime) -> bool:
        """Return whether a local time between two others matches."""
        count = (local - virtual) // self.step
        return any(self.matches(virtual + number * self.step) for number in range(1, count))


def lookback(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return a time before which the clocks did not change, or so long ago that it is over."""
    offsets = {
        (instant - hours * HOUR).astimezone(zone).utcoffset() for hours in range(LONGEST_CHANGE_H)
    }
    return LONGEST_CHANGE_H * HOUR if len(offsets) > 1 else timedelta(0)


def will_repeat(local: datetime, zone: ZoneInfo) -> bool:
    first, second = (local.replace(fold=fold, tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    return local.fold == 0 and second > first


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


@cache
def matches_day(day: str, month: str, weekday: str, on: date) -> bool:
    """Apply crontab(5): a day matches by either field if neither starts with `*`."""
    by_day = any(is_day(item, on) for item in day.split(","))
    by_weekday = any(is_weekday(item, on) for item in weekday.split(","))
    both = day[0] == "*" or weekday[0] == "*"
    matched = (by_day and by_weekday) if both else (by_day or by_weekday)
    return matched and has(month, on.month, 1, 12, MONTHS)


@cache
def has(field: str, value: int, low: int, high: int, names: tuple[str, ...] = ()) -> bool:
    """Return whether a list of values, ranges and steps contains a value."""
    return any(in_range(item, value, low, high, names) for item in field.split(","))


def in_range(item: str, value: int, low: int, high: int, names: tuple[str, ...]) -> bool:
    """Return whether a value is a whole number of steps after the start of its range."""
    span, slash, step = item.partition("/")
    start, dash, end = span.partition("-")
    first = low if start == "*" else number(start, low, names)
    last = number(end, low, names) if dash else high if slash or start == "*" else first
    size = high - low + 1
    distance = last - first if last >= first else last - first + size
    turns = (value - first, value - first + size)
    return any(0 <= gone <= distance and gone % int(step or 1) == 0 for gone in turns)


def number(text: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(text) + low if text in names else int(text)


def is_day(item: str, on: date) -> bool:
    """Return whether a date matches an item of the day of month."""
    last = monthrange(on.year, on.month)[1]
    if "w" in item:
        wanted = on.replace(day=min(int(item.replace("w", "")), last))
        days = [on.replace(day=day) for day in range(1, last + 1)]
        workdays = [each for each in days if each.isoweekday() <= 5]
        return on == min(workdays, key=lambda each: abs(each - wanted))
    return on.day == last if item == "l" else in_range(item.replace("l", "31"), on.day, 1, 31, ())


def is_weekday(item: str, on: date) -> bool:
    """Return whether a date matches an item of the weekday."""
    value = on.isoweekday() % 7
    if item[0] == "l":
        return value == int(item[1:]) % 7 and (on + 7 * DAY).month != on.month
    days, hash_sign, nth = item.partition("#")
    if hash_sign and (on.day - 1) // 7 + 1 != int(nth):
        return False
    return in_range(days, value, 0, 6, WEEKDAYS)
