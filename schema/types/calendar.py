"""The GraphQL types of days on which crons do not run: exclusions and calendars."""

from datetime import date, datetime

import strawberry

from ostinato.jobs import time_rules
from ostinato.jobs.time_rules import Weekday
from ostinato.schema.fields import strawberry_field
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(description="The days from one to another.")
class DateRange(RecordProxy[time_rules.DateRange]):
    first: date = strawberry.field(description="The first day.")
    last: date = strawberry.field(description="The last day, which is included.")


@strawberry.type(
    description="The days on which a cron does not run, in its time zone. A tick on such a day is "
    "skipped."
)
class Exclusions(RecordProxy[time_rules.Exclusions]):
    weekdays: list[Weekday] = strawberry.field(description="Days of the week.")
    dates: list[date] = strawberry.field(description="Single days.")
    calendar: str | None = strawberry.field(
        description="The name of a calendar whose days are excluded, too."
    )

    @strawberry_field(description="Ranges of days.")
    def ranges(self) -> list[DateRange]:
        return [DateRange.of(each) for each in self.record.ranges]


@strawberry.type(
    description="A named list of days, for example public holidays, that crons can exclude. Admins "
    "keep it."
)
class Calendar(RecordProxy[time_rules.Calendar]):
    name: str = strawberry.field(description="Its unique name, for `exclusions`.")
    description: str | None = strawberry.field(description="What its days are.")
    dates: list[date] = strawberry.field(description="Single days, in order.")
    created_at: datetime = strawberry.field(description="When it was created.")
    changed_at: datetime = strawberry.field(description="When it was created or last replaced.")
    version: int = strawberry.field(description="Increases with every change.")

    @strawberry_field(description="Ranges of days.")
    def ranges(self) -> list[DateRange]:
        return [DateRange.of(each) for each in self.record.ranges]
