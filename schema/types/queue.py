"""The GraphQL type of a queue."""

from typing import Self

import strawberry

from ostinato.jobs import lanes


@strawberry.type(
    description="A queue of jobs. Queues need no declaration: any valid name is a queue."
)
class Queue:
    name: str = strawberry.field(description="Its name, as used in `scheduleJob`.")
    paused: bool = strawberry.field(
        description="Whether it is paused: its pending jobs do not start until it is resumed."
    )
    weight: int = strawberry.field(
        description="Its share of the workers relative to other queues, when more jobs are due "
        "than the workers can run."
    )
    pending_due: int = strawberry.field(
        description="The number of its due jobs that have not started, capped at 1,000."
    )
    workers: int = strawberry.field(description="The number of workers that take jobs from it.")
    version: int = strawberry.field(
        description="Increases with every change; 0 if it was never paused or resumed."
    )

    @classmethod
    def of(cls, record: lanes.Queue) -> Self:
        return cls(
            name=record.name,
            paused=record.paused,
            weight=record.weight,
            pending_due=record.pending_due,
            workers=record.workers,
            version=record.version,
        )
