"""The time rules of a cron beside its schedule: clock changes and excluded days. No I/O."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

_DAY: Final = timedelta(days=1)
_LAST_DAY: Final = date.max - _DAY


class GapPolicy(StrEnum):
    """What happens to a local time that the clocks skip."""

    NEXT = "next"
    SKIP = "skip"


class FoldPolicy(StrEnum):
    """In which pass of a repeated local time a cron runs."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"


class Weekday(StrEnum):
    """The days of the week, in ISO order."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """The days from `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """The local days on which a cron does not run."""

    dates: tuple[date, ...] = ()
    ranges: tuple[DateRange, ...] = ()
    weekdays: tuple[Weekday, ...] = ()
    calendar: str | None = None
    """The name of a calendar whose days are excluded, too."""


NO_EXCLUSIONS: Final = Exclusions()


def exclusions_from(document: Mapping[str, Any] | None) -> Exclusions:
    """Read stored exclusions; days are texts like `2026-12-25`."""
    if not document:
        return NO_EXCLUSIONS
    return Exclusions(
        dates=tuple(map(date.fromisoformat, document.get("dates", ()))),
        ranges=tuple(map(range_from, document.get("ranges", ()))),
        weekdays=tuple(map(Weekday, document.get("weekdays", ()))),
        calendar=document.get("calendar"),
    )


def exclusions_document(exclusions: Exclusions) -> dict[str, Any]:
    """Build the stored form of exclusions, without what is empty."""
    document: dict[str, Any] = {
        "dates": [day.isoformat() for day in exclusions.dates],
        "ranges": [range_document(each) for each in exclusions.ranges],
        "weekdays": [day.value for day in exclusions.weekdays],
        "calendar": exclusions.calendar,
    }
    return {name: value for name, value in document.items() if value}


def range_from(document: Mapping[str, str]) -> DateRange:
    return DateRange(
        first=date.fromisoformat(document["first"]), last=date.fromisoformat(document["last"])
    )


def range_document(days: DateRange) -> dict[str, str]:
    return {"first": days.first.isoformat(), "last": days.last.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A named list of days that admins keep, for example public holidays."""

    name: str
    dates: tuple[date, ...]
    ranges: tuple[DateRange, ...]
    version: int
    created_at: datetime
    changed_at: datetime
    description: str | None = None


def calendar_from(document: Mapping[str, Any]) -> Calendar:
    return Calendar(
        name=document["_id"],
        dates=tuple(map(date.fromisoformat, document["dates"])),
        ranges=tuple(map(range_from, document["ranges"])),
        version=document["version"],
        created_at=document["createdAt"],
        changed_at=document["changedAt"],
        description=document.get("description"),
    )


def _first(days: DateRange) -> date:
    return days.first


def _merged(ranges: Iterable[DateRange]) -> tuple[DateRange, ...]:
    """Return the same days as ranges in order that do not overlap."""
    merged: list[DateRange] = []
    for each in sorted((each for each in ranges if each.first <= each.last), key=_first):
        if merged and each.first <= min(merged[-1].last, _LAST_DAY) + _DAY:
            last = max(merged[-1].last, each.last)
            merged[-1] = DateRange(first=merged[-1].first, last=last)
        else:
            merged.append(each)
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class ExcludedDays:
    """What a cron excludes: the days of its exclusions and its calendar, and skipped ticks."""

    dates: frozenset[date] = frozenset()
    ranges: tuple[DateRange, ...] = ()
    """In order, and apart from each other: they are merged when this is created."""
    weekdays: frozenset[int] = frozenset()
    """As `date.weekday()` counts: Monday is 0."""
    skipped_times: frozenset[datetime] = frozenset()
    """Single ticks that were skipped ahead of time. They are decided, so they are not planned."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranges", _merged(self.ranges))

    @classmethod
    def of(cls, exclusions: Exclusions, calendar: Calendar | None = None) -> "ExcludedDays":
        """Join exclusions with the days of their calendar, which may be missing."""
        if calendar is None and exclusions == NO_EXCLUSIONS:
            return NO_DAYS
        order = list(Weekday)
        return cls(
            frozenset((*exclusions.dates, *(calendar.dates if calendar else ()))),
            (*exclusions.ranges, *(calendar.ranges if calendar else ())),
            frozenset(order.index(day) for day in exclusions.weekdays),
        )

    def __contains__(self, day: date) -> bool:
        return (
            day in self.dates
            or (bool(self.weekdays) and day.weekday() in self.weekdays)
            or (bool(self.ranges) and self._range_of(day) is not None)
        )

    def next_day(self, day: date) -> date:
        """Return the first day after `day` that is not excluded; `date.max` if there is none."""
        if len(self.weekdays) == len(Weekday):
            return date.max
        day += _DAY
        while day < date.max:
            within = self._range_of(day)
            if within is not None:
                day = min(within.last, _LAST_DAY) + _DAY
            elif day in self.dates or day.weekday() in self.weekdays:
                day += _DAY
            else:
                break
        return day

    def _range_of(self, day: date) -> DateRange | None:
        position = bisect_right(self.ranges, day, key=_first) - 1
        if position >= 0 and day <= self.ranges[position].last:
            return self.ranges[position]
        return None

    def __bool__(self) -> bool:
        return bool(self.dates or self.ranges or self.weekdays or self.skipped_times)

    def skips_between(self, start: datetime, end: datetime) -> bool:
        """Return whether a skipped time is in a period; the end is exclusive."""
        return any(start <= each < end for each in self.skipped_times)

    def with_skipped(self, times: Iterable[datetime]) -> "ExcludedDays":
        """Return these days with the ticks that were skipped ahead of time."""
        skipped = frozenset(times)
        return self if skipped == self.skipped_times else replace(self, skipped_times=skipped)


NO_DAYS: Final = ExcludedDays()
