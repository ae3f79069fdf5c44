"""A reference implementation of cronspecs that checks every minute."""

from calendar import monthrange
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
NAMES = {"sun": "0", "mon": "1", "tue": "2", "wed": "3", "thu": "4", "fri": "5", "sat": "6"}
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def find_ticks_by_stepping(
    spec: str, zone: ZoneInfo, after: datetime, until: datetime
) -> list[datetime]:
    """Find the ticks in (after, until]; local times change by whole minutes."""
    every_hour = spec.split()[1] in ("*", "0-23")
    minute = after.replace(second=0, microsecond=0)
    before, found = to_local(minute, zone), []
    while (minute := minute + MINUTE) <= until:
        local = to_local(minute, zone)
        due = matches(spec, local) and (every_hour or local.fold == 0)
        if not every_hour and local - before > MINUTE:
            due = due or any(matches(spec, skipped) for skipped in minutes_between(before, local))
        if due:
            found.append(minute)
        before = local
    return found


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def minutes_between(earlier: datetime, later: datetime) -> list[datetime]:
    return [earlier + step * MINUTE for step in range(1, (later - earlier) // MINUTE)]


def matches(spec: str, local: datetime) -> bool:
    """Apply crontab(5): a day matches by either field if neither starts with `*`."""
    minute, hour, day, month, weekday = spec.split()
    last = monthrange(local.year, local.month)[1]
    by_day = local.day in values(day.replace("L", str(last)), 2)
    by_weekday = local.isoweekday() % 7 in values(weekday, 4)
    both = not day.startswith("*") and not weekday.startswith("*")
    return (
        local.minute in values(minute, 0)
        and local.hour in values(hour, 1)
        and local.month in values(month, 3)
        and ((by_day or by_weekday) if both else (by_day and by_weekday))
    )


@cache
def values(text: str, index: int) -> frozenset[int]:
    """Expand a list of values, ranges and steps."""
    for name, number in NAMES.items():
        text = text.replace(name, number)
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        first, last = BOUNDS[index] if span == "*" else (int(low), int(high or low))
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)
