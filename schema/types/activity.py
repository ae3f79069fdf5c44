"""The GraphQL types of activity: series of what attempts did."""

from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from ostinato.jobs import activity
from ostinato.jobs.changes import Position
from ostinato.resolvers.live.activity_query import ActivityMessage
from ostinato.resolvers.live.messages import EventPosition
from ostinato.schema.scalars import Milliseconds

ReachRange = Annotated[
    activity.ActivityRange,
    strawberry.argument(name="range", description="How far the series reaches back."),
]
ActivityFunction = Annotated[
    str | None,
    strawberry.argument(
        description="Only jobs of this function. For admins, `other` are the functions that have "
        "no counts of their own."
    ),
]
NOWHERE: Final = EventPosition(Position(""))


@strawberry.type(
    description="Estimates, within a quarter of the value; null if nothing was measured."
)
class Percentiles:
    p50_ms: Milliseconds | None = strawberry.field(description="Half of the values are not higher.")
    p95_ms: Milliseconds | None = strawberry.field(description="95 of 100 values are not higher.")

    @classmethod
    def of(cls, record: activity.Percentiles) -> Self:
        return cls(
            p50_ms=None if record.p50_ms is None else Milliseconds(record.p50_ms),
            p95_ms=None if record.p95_ms is None else Milliseconds(record.p95_ms),
        )


@strawberry.type(description="What attempts did during one interval.")
class ActivityPoint:
    start: datetime = strawberry.field(
        description="The start of the interval, in scheduler time; its end is the next start."
    )
    succeeded: int = strawberry.field(description="The number of jobs that succeeded.")
    failed: int = strawberry.field(
        description="The number of jobs that failed on their last attempt."
    )
    retried: int = strawberry.field(
        description="The number of failed attempts that are followed by another one."
    )
    run_time: Percentiles = strawberry.field(description="The duration of the attempts that ended.")
    lateness: Percentiles = strawberry.field(
        description="The time from the due time to the start of these attempts."
    )

    @classmethod
    def of(cls, record: activity.ActivityPoint) -> Self:
        return cls(
            start=record.start,
            succeeded=record.succeeded,
            failed=record.failed,
            retried=record.retried,
            run_time=Percentiles.of(record.run_time),
            lateness=Percentiles.of(record.lateness),
        )


@strawberry.type(
    description="A series of points, oldest first. Without internal jobs, unless you name an "
    "internal function."
)
class Activity:
    event_position: strawberry.Private[EventPosition]
    at: datetime = strawberry.field(
        description="When it was read, in scheduler time: during the newest point."
    )
    bucket_ms: Milliseconds = strawberry.field(description="The length of each point's interval.")
    points: list[ActivityPoint] = strawberry.field(description="The points, without gaps.")
    counted_from: datetime | None = strawberry.field(
        description="Null if all jobs were counted. Otherwise you have too many: only those due "
        "after this time were."
    )

    @classmethod
    def of(cls, record: activity.Activity, event_position: EventPosition = NOWHERE) -> Self:
        return cls(
            event_position=event_position,
            at=record.at,
            bucket_ms=Milliseconds(record.bucket_ms),
            points=[ActivityPoint.of(point) for point in record.points],
            counted_from=record.counted_from,
        )

    @classmethod
    def of_message(cls, message: ActivityMessage) -> Self:
        return cls.of(message.activity, message.event_position)
