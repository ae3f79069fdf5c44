"""The GraphQL types of a cron's two kinds of schedule."""

from typing import Annotated, TypeAlias, assert_never

import strawberry

from ostinato.jobs import records
from ostinato.schema.scalars import Milliseconds


@strawberry.type(description="A tick at a fixed interval after the previous tick.")
class IntervalSchedule:
    ms: Milliseconds = strawberry.field(description="The time between two ticks.")


@strawberry.type(description="Ticks at the wall-clock times of a cron expression.")
class CronSchedule:
    cronspec: str = strawberry.field(
        description="Minute, hour, day of month, month and day of week, preceded by seconds if "
        "there are six fields; or a shortcut like `@daily`."
    )
    tz: str = strawberry.field(
        description="The IANA time zone of the cron expression, for example `Europe/Berlin`."
    )


Schedule: TypeAlias = Annotated[
    IntervalSchedule | CronSchedule,
    strawberry.union("Schedule", description="The schedule of a cron."),
]


def schedule_of(record: records.Schedule) -> IntervalSchedule | CronSchedule:
    """Convert a schedule to its GraphQL type."""
    match record:
        case records.IntervalSchedule():
            return IntervalSchedule(ms=Milliseconds(record.ms))
        case records.CronSchedule():
            return CronSchedule(cronspec=record.cronspec, tz=record.tz)
        case _:
            assert_never(record)
