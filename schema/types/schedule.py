"""The two kinds of schedule that a cron can have."""

from typing import Annotated, TypeAlias, assert_never

import strawberry

from ostinato.jobs import records
from ostinato.schema.scalars import Milliseconds


@strawberry.type(description="A tick every so often, counted from the tick before.")
class IntervalSchedule:
    ms: Milliseconds = strawberry.field(description="Time from one tick to the next.")


@strawberry.type(description="Ticks at the wall-clock times that a cron expression names.")
class CronSchedule:
    cronspec: str = strawberry.field(
        description="Minute, hour, day of month, month, day of week, with seconds first if there "
        "are six fields; or `@daily` and the like."
    )
    tz: str = strawberry.field(description="The IANA time zone of those times, `Europe/Berlin`.")


Schedule: TypeAlias = Annotated[
    IntervalSchedule | CronSchedule,
    strawberry.union("Schedule", description="When a cron ticks."),
]


def schedule_of(record: records.Schedule) -> IntervalSchedule | CronSchedule:
    """Translate a schedule."""
    match record:
        case records.IntervalSchedule():
            return IntervalSchedule(ms=Milliseconds(record.ms))
        case records.CronSchedule():
            return CronSchedule(cronspec=record.cronspec, tz=record.tz)
        case _:
            assert_never(record)
