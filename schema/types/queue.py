"""Jobs that workers take from together."""

from typing import Self

import strawberry

from ostinato.jobs import lanes


@strawberry.type(description="Jobs that workers take from together. Every name is a queue.")
class Queue:
    name: str = strawberry.field(description="Its name, as `scheduleJob` takes it.")
    paused: bool = strawberry.field(
        description="Whether its pending jobs stay pending until it is resumed."
    )
    weight: int = strawberry.field(
        description="Its share of the workers, relative to other queues, when more is due in all "
        "than there is room for."
    )
    pending_due: int = strawberry.field(
        description="How many of its jobs are due and have not started, counted up to 1,000."
    )
    workers: int = strawberry.field(description="How many workers take jobs from it.")
    version: int = strawberry.field(
        description="Rises with every change; 0 if it was never paused or resumed."
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
