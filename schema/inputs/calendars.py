"""Inputs for days on which crons do not run: exclusions and calendars."""

from collections.abc import Iterator
from datetime import date

import strawberry
from strawberry import UNSET

from ostinato.jobs import exclusions, time_rules
from ostinato.jobs.errors import Issue
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.time_rules import Weekday
from ostinato.schema.fields import unset_to_none
from ostinato.schema.inputs.limits import Name


@strawberry.input(description="The days from one to another.")
class DateRangeInput:
    first: date = strawberry.field(description="The first day.")
    last: date = strawberry.field(description="The last day, which is included.")

    def to_plain(self) -> time_rules.DateRange:
        return time_rules.DateRange(first=self.first, last=self.last)


@strawberry.input(
    description="The days on which a cron does not run, in its time zone. A tick on such a day is "
    "skipped."
)
class ExclusionsInput:
    weekdays: list[Weekday] | None = strawberry.field(
        default=UNSET, description="Days of the week, at most six."
    )
    dates: list[date] | None = strawberry.field(
        default=UNSET, description="Single days, at most 366."
    )
    ranges: list[DateRangeInput] | None = strawberry.field(
        default=UNSET, description="Ranges of days, at most 50."
    )
    calendar: str | None = strawberry.field(
        default=UNSET,
        description="The name of a calendar whose days are excluded, too; `calendars` lists them.",
    )

    def to_plain(self) -> time_rules.Exclusions:
        """Convert the input for the use case."""
        weekdays = unset_to_none(self.weekdays) or ()
        return time_rules.Exclusions(
            dates=tuple(sorted(set(unset_to_none(self.dates) or ()))),
            ranges=ranges_of(self.ranges),
            weekdays=tuple(day for day in Weekday if day in weekdays),
            calendar=unset_to_none(self.calendar),
        )


def ranges_of(given: list[DateRangeInput] | None) -> tuple[time_rules.DateRange, ...]:
    """Convert the ranges of an input."""
    return tuple(each.to_plain() for each in unset_to_none(given) or ())


def exclusions_of(given: ExclusionsInput | None) -> time_rules.Exclusions:
    """Convert exclusions, which may be omitted."""
    known = unset_to_none(given)
    return time_rules.NO_EXCLUSIONS if known is None else known.to_plain()


@strawberry.input(description="The calendar to create, or the new content of one to replace.")
class CalendarInput:
    name: Name = strawberry.field(description="Its name, 1 to 200 characters.")
    dates: list[date] | None = strawberry.field(
        default=UNSET, description="Single days, at most 2,000."
    )
    ranges: list[DateRangeInput] | None = strawberry.field(
        default=UNSET, description="Ranges of days, at most 500."
    )
    description: str | None = strawberry.field(
        default=UNSET, description="What its days are, 1 to 500 characters."
    )

    def issues(self) -> Iterator[Issue]:
        yield from exclusions.calendar_issues(self.to_plain())

    def to_plain(self) -> NewCalendar:
        """Convert the input for the use case."""
        return NewCalendar(
            name=self.name,
            dates=tuple(unset_to_none(self.dates) or ()),
            ranges=ranges_of(self.ranges),
            description=unset_to_none(self.description),
        )


@strawberry.input(description="The calendar to delete.")
class CalendarNameInput:
    name: Name = strawberry.field(description="Its name.")
