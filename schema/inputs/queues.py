"""Inputs of the mutations about queues."""

import strawberry
from strawberry import UNSET

from ostinato.schema.inputs.limits import QueueName, Weight


@strawberry.input(description="Which queue.")
class QueueInput:
    queue: QueueName = strawberry.field(
        description="Its name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )


@strawberry.input(description="Which queue, and with what weight.")
class ResumeQueueInput:
    queue: QueueName = strawberry.field(
        description="Its name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )
    weight: Weight | None = strawberry.field(
        default=UNSET,
        description="Its share of the workers, relative to other queues, from now on: 1 to 1000. "
        "It stays as it is if not given; at first it is 1.",
    )
